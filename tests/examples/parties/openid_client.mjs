// A relying party made of openid-client alone: what it is asked to do, it does with the library's own functions.
import { answering, library } from './library.mjs';

const oidc = await library('openid-client');
const jose = await library('jose');

let config;
let checks;

const METHODS = {
  client_secret_basic: ({ secret }) => oidc.ClientSecretBasic(secret),
  client_secret_post: ({ secret }) => oidc.ClientSecretPost(secret),
  private_key_jwt: async ({ key, alg }) => oidc.PrivateKeyJwt({ key: await jose.importJWK(key, alg), kid: key.kid }),
  none: () => oidc.None(),
};

await answering({
  async discover({ issuer, discovery, client_id, method, metadata, ...proof }) {
    const options = { algorithm: discovery, execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] };
    config = await oidc.discovery(new URL(issuer), client_id, metadata, await METHODS[method](proof), options);
    return config.serverMetadata();
  },

  async start(parameters) {
    checks = {
      pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
      expectedState: oidc.randomState(),
      expectedNonce: oidc.randomNonce(),
      idTokenExpected: true,
      maxAge: parameters.max_age,
    };
    return oidc.buildAuthorizationUrl(config, {
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      ...parameters,
    });
  },

  // *body*: of the form that response_mode=form_post sends.
  async finish({ url, body }) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const arrived = body === undefined ? new URL(url) : new Request(url, { method: 'POST', headers, body });
    const tokens = await oidc.authorizationCodeGrant(config, arrived, checks);
    return { ...tokens, claims: tokens.claims() };
  },

  refresh: async ({ refresh_token }) => {
    const tokens = await oidc.refreshTokenGrant(config, refresh_token);
    return { ...tokens, claims: tokens.claims() };
  },
  client_credentials: ({ scope }) => oidc.clientCredentialsGrant(config, { scope }),
  userinfo: ({ access_token, sub }) => oidc.fetchUserInfo(config, access_token, sub),
  introspect: ({ token }) => oidc.tokenIntrospection(config, token),
  revoke: ({ token }) => oidc.tokenRevocation(config, token),
  end_session: (parameters) => oidc.buildEndSessionUrl(config, parameters),
});
