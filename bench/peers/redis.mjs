// The store of both peers: REDIS_SOCKET and REDIS_PASSWORD, with a prefix for each.
import { Redis } from 'ioredis';

export const connect = (keyPrefix) =>
  new Redis({ path: process.env.REDIS_SOCKET, password: process.env.REDIS_PASSWORD, keyPrefix });
