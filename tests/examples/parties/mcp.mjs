// A client of an MCP server, made of the MCP SDK alone. It is told the URL of the server and nothing else; that it presents
// the operator's token when it registers is what a wrapped fetch is for.
import { answering, library } from './library.mjs';

const { auth } = await library('@modelcontextprotocol/sdk/client/auth.js');

let kept = {};

function provider(redirectUrl) {
  return {
    redirectUrl,
    clientMetadata: {
      client_name: 'MCP client',
      redirect_uris: [redirectUrl, 'cursor://example.mcp/callback'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      client_uri: '',
    },
    state: () => 'state-of-the-client',
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens; },
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    redirectToAuthorization: (url) => { kept.url = url; },
  };
}

function fetching(token) {
  return (url, options = {}) => {
    const registering = String(url).endsWith('/oauth2/register');
    const headers = { ...Object.fromEntries(new Headers(options.headers)), ...(registering ? { authorization: `Bearer ${token}` } : {}) };
    return fetch(url, { ...options, headers });
  };
}

await answering({
  async start({ server, token, redirect_uri }) {
    kept = {};
    const result = await auth(provider(redirect_uri), { serverUrl: server, fetchFn: fetching(token) });
    return { result, url: kept.url, client: kept.client };
  },

  async finish({ server, redirect_uri, code }) {
    const result = await auth(provider(redirect_uri), { serverUrl: server, authorizationCode: code });
    return { result, tokens: kept.tokens };
  },

  async refresh({ server, redirect_uri }) {
    const result = await auth(provider(redirect_uri), { serverUrl: server });
    return { result, tokens: kept.tokens };
  },
});
