// npm oidc-provider as its documentation sets it up: JWT access tokens (RS256), refresh tokens that rotate, Redis.
// GET /__seed?n=N answers N refresh tokens, each of a grant of its own, one a line: it has no sign-in of its own.
import http from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';
import RedisAdapter from './redis_adapter.mjs';

const { PORT, CLIENT_ID, CLIENT_SECRET } = process.env;
const RESOURCE = 'https://api.example';
const TTL = 14 * 86400;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  adapter: RedisAdapter,
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    grant_types: ['client_credentials', 'refresh_token', 'authorization_code'],
    redirect_uris: ['https://client.example/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'k1' }] },
  cookies: { keys: ['benchmark'] },
  scopes: ['openid', 'offline_access', 'api:read'],
  rotateRefreshToken: true,
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: { AccessToken: 900, ClientCredentials: 900, RefreshToken: TTL, Grant: TTL },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'api:read', audience: RESOURCE, accessTokenFormat: 'jwt', accessTokenTTL: 900, jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});
provider.on('server_error', (ctx, error) => console.error(error));

async function refreshToken(accountId) {
  const client = await provider.Client.find(CLIENT_ID);
  const grant = new provider.Grant({ accountId, clientId: CLIENT_ID });
  grant.addOIDCScope('offline_access');
  grant.addResourceScope(RESOURCE, 'api:read');
  const grantId = await grant.save(TTL);
  const now = Math.floor(Date.now() / 1000);
  return new provider.RefreshToken({
    accountId, client, grantId, gty: 'authorization_code', scope: 'offline_access api:read', resource: RESOURCE,
    iiat: now, authTime: now, expiresWithSession: false,
  }).save(TTL);
}

async function seed(count) {
  const tokens = [];
  for (let i = 0; i < count; i += 1) tokens.push(await refreshToken(`user-${i}`));
  return tokens.join('\n');
}

const answer = provider.callback();
http.createServer((req, res) => {
  if (!req.url.startsWith('/__seed')) return answer(req, res);
  const count = Number(new URL(req.url, 'http://localhost').searchParams.get('n'));
  return seed(count).then((tokens) => res.end(tokens), (error) => {
    console.error(error);
    res.writeHead(500).end();
  });
}).listen(Number(PORT), '127.0.0.1');
