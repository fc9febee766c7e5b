// A resource server that verifies access tokens with jose: npm install jose
//
//     node resource_server_jose.mjs http://localhost:8000 9003 http://localhost:9003/
//     curl http://localhost:9003/ -H "Authorization: Bearer $ACCESS_TOKEN"
//
// The last argument is its own name, for which clients ask as `resource` (RFC 8707): a token that names no resource opens the
// issuer's own interfaces, so an API should not be handed one.
//
// jose fetches the keys once, and again (at most every 30 seconds) when a token names a key that it does not know.
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [issuer, port, resource] = process.argv.slice(2);
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const audience = resource ?? metadata.issuer;
const expected = { issuer: metadata.issuer, audience, algorithms: ['RS256'], typ: 'at+jwt' };

createServer(async (request, response) => {
  const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  let status = 200;
  let body;
  try {
    const { payload } = await jwtVerify(token, keys, { ...expected, requiredClaims: ['sub', 'client_id', 'exp'] });
    body = { sub: payload.sub, roles: payload.roles, scope: payload.scope };
  } catch {
    status = 401;
    body = { error: 'invalid_token' };
  }
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}).listen(Number(port), '127.0.0.1');
