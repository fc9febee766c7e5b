// oidc-provider's documented adapter interface, with the data layout of the project's own example for Redis.
import { connect } from './redis.mjs';

const client = connect('oidc:');
const consumable = new Set(['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']);
const grantable = new Set([...consumable, 'AccessToken']);

const grantKey = (id) => `grant:${id}`;
const userCodeKey = (code) => `userCode:${code}`;
const uidKey = (uid) => `uid:${uid}`;

export default class RedisAdapter {
  constructor(name) {
    this.name = name;
  }

  key(id) {
    return `${this.name}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    const multi = client.multi();
    if (consumable.has(this.name)) multi.hset(key, { payload: JSON.stringify(payload) });
    else multi.set(key, JSON.stringify(payload));
    if (expiresIn) multi.expire(key, expiresIn);
    if (grantable.has(this.name) && payload.grantId) {
      const list = grantKey(payload.grantId);
      multi.rpush(list, key);
      if (expiresIn > (await client.ttl(list))) multi.expire(list, expiresIn);
    }
    if (payload.userCode) multi.set(userCodeKey(payload.userCode), id, 'EX', expiresIn);
    if (payload.uid) multi.set(uidKey(payload.uid), id, 'EX', expiresIn);
    await multi.exec();
  }

  async find(id) {
    if (!consumable.has(this.name)) {
      const text = await client.get(this.key(id));
      return text ? JSON.parse(text) : undefined;
    }
    const { payload, ...rest } = await client.hgetall(this.key(id));
    return payload ? { ...rest, ...JSON.parse(payload) } : undefined;
  }

  async findByUid(uid) {
    return this.find(await client.get(uidKey(uid)));
  }

  async findByUserCode(code) {
    return this.find(await client.get(userCodeKey(code)));
  }

  async destroy(id) {
    await client.del(this.key(id));
  }

  async consume(id) {
    await client.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000));
  }

  async revokeByGrantId(grantId) {
    const multi = client.multi();
    for (const key of await client.lrange(grantKey(grantId), 0, -1)) multi.del(key);
    multi.del(grantKey(grantId));
    await multi.exec();
  }
}
