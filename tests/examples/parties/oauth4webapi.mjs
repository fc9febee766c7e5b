// A relying party made of oauth4webapi alone, a public client: every step is a call of its own, as the library wants it.
import { answering, library } from './library.mjs';

const oauth = await library('oauth4webapi');

const insecure = { [oauth.allowInsecureRequests]: true };
const proof = oauth.None();
let server;
let client;
let started;

await answering({
  async discover({ issuer, client_id }) {
    const at = new URL(issuer);
    server = await oauth.processDiscoveryResponse(at, await oauth.discoveryRequest(at, insecure));
    client = { client_id };
  },

  async start(parameters) {
    started = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: client.client_id,
      response_type: 'code',
      state: started.state,
      nonce: started.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(started.verifier),
      code_challenge_method: 'S256',
      ...parameters,
    });
    return url;
  },

  async finish({ url, redirect_uri }) {
    const answer = oauth.validateAuthResponse(server, client, new URL(url), started.state);
    const response = await oauth.authorizationCodeGrantRequest(server, client, proof, answer, redirect_uri, started.verifier, insecure);
    const checks = { expectedNonce: started.nonce, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, checks);
    await oauth.validateApplicationLevelSignature(server, response, insecure);
    return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) };
  },

  async refresh({ refresh_token }) {
    const response = await oauth.refreshTokenGrantRequest(server, client, proof, refresh_token, insecure);
    return oauth.processRefreshTokenResponse(server, client, response);
  },

  async userinfo({ access_token, sub }) {
    return oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, access_token, insecure));
  },

  async revoke({ token }) {
    return oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token, insecure));
  },
});
