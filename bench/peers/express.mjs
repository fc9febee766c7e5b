// What tutorials build: Express, jsonwebtoken (RS256, a key object), ioredis, bcrypt. A refresh is GETDEL and SET.
// GET /__seed?n=N answers N refresh tokens, one a line. EMAIL and PASSWORD are the one user who can sign in.
import { createHash, generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcrypt';
import express from 'express';
import jwt from 'jsonwebtoken';
import { connect } from './redis.mjs';

const { PORT, CLIENT_ID, CLIENT_SECRET, EMAIL, PASSWORD } = process.env;
const TTL = 14 * 86400;
const sha256 = (text) => createHash('sha256').update(text).digest();
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'k1' }] };
const clients = new Map([[CLIENT_ID, sha256(CLIENT_SECRET)]]);
const users = new Map([[EMAIL, await bcrypt.hash(PASSWORD, 12)]]);
const redis = connect('express:');

const accessToken = (sub, scope, clientId) =>
  jwt.sign({ client_id: clientId, scope, jti: randomBytes(16).toString('base64url') }, privateKey, {
    algorithm: 'RS256', keyid: 'k1', expiresIn: 900, issuer: 'https://issuer.example', audience: 'https://api.example', subject: sub,
  });

async function refreshToken(session) {
  const token = randomBytes(32).toString('base64url');
  await redis.set(`rt:${token}`, JSON.stringify(session), 'EX', TTL);
  return token;
}

async function tokens({ sub, scope, clientId }) {
  return {
    access_token: accessToken(sub, scope, clientId),
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: await refreshToken({ sub, scope, clientId }),
    scope,
  };
}

function authenticated(header = '') {
  const [id, ...rest] = Buffer.from(header.slice(6), 'base64').toString().split(':');
  const known = clients.get(id);
  return known && timingSafeEqual(known, sha256(rest.join(':'))) ? id : null;
}

const app = express();
app.disable('x-powered-by');
app.use(express.urlencoded({ extended: false }));
app.use(express.json());

app.post('/token', async (req, res) => {
  const clientId = authenticated(req.headers.authorization);
  if (!clientId) return res.status(401).json({ error: 'invalid_client' });
  res.set('Cache-Control', 'no-store');
  if (req.body.grant_type === 'client_credentials') {
    return res.json({ access_token: accessToken(clientId, 'api:read', clientId), token_type: 'Bearer', expires_in: 900 });
  }
  if (req.body.grant_type !== 'refresh_token') return res.status(400).json({ error: 'unsupported_grant_type' });
  const session = await redis.getdel(`rt:${req.body.refresh_token}`);
  if (!session) return res.status(400).json({ error: 'invalid_grant' });
  return res.json(await tokens(JSON.parse(session)));
});

app.post('/login', async (req, res) => {
  const hash = users.get(req.body.email);
  if (!hash || !(await bcrypt.compare(req.body.password, hash))) return res.status(401).json({ error: 'invalid_credentials' });
  return res.json(await tokens({ sub: req.body.email, scope: 'api:read', clientId: CLIENT_ID }));
});

app.get('/jwks', (req, res) => res.json(jwks));

app.get('/__seed', async (req, res) => {
  const seeded = [];
  for (let i = 0; i < Number(req.query.n); i += 1) {
    seeded.push(await refreshToken({ sub: `user-${i}`, scope: 'api:read', clientId: CLIENT_ID }));
  }
  res.type('text').send(seeded.join('\n'));
});

app.listen(Number(PORT), '127.0.0.1');
