// OpenID Connect for a page without a server of its own: authorization code flow with PKCE, refresh, sign-out. No library.

const SESSION = 'oidc.session'; // in localStorage: all tabs share one sign-in
const PENDING = 'oidc.pending.'; // in sessionStorage: a sign-in belongs to the tab that began it

export class SignedOut extends Error {}

export class TryAgain extends Error {
  constructor(seconds) {
    super(`The server asks to wait ${seconds} seconds.`);
    this.seconds = seconds;
  }
}

export async function connect({ issuer, clientId, redirectUri, scope }) {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  const server = await answer.json();
  if (server.issuer !== issuer) throw new Error(`This is the server of ${server.issuer}.`);
  return new Client(server, clientId, redirectUri, scope);
}

class Client {
  constructor(server, clientId, redirectUri, scope) {
    Object.assign(this, { server, clientId, redirectUri, scope });
  }

  // {access_token, refresh_token, id_token, expires_at, claims}, or null.
  get session() {
    return JSON.parse(localStorage.getItem(SESSION));
  }

  async signIn() {
    const [state, nonce, verifier] = [random(), random(), random()];
    sessionStorage.setItem(PENDING + state, JSON.stringify({ nonce, verifier }));
    location.assign(withQuery(this.server.authorization_endpoint, {
      client_id: this.clientId,
      redirect_uri: this.redirectUri,
      response_type: 'code',
      scope: this.scope,
      state,
      nonce,
      code_challenge: await sha256(verifier),
      code_challenge_method: 'S256',
    }));
  }

  // Call it when the page loads: true if the address was the answer to a sign-in, which it no longer is then.
  async finishSignIn() {
    const answer = new URLSearchParams(location.search);
    if (!answer.has('state')) return false;
    const key = PENDING + answer.get('state');
    const pending = JSON.parse(sessionStorage.getItem(key));
    sessionStorage.removeItem(key);
    history.replaceState(null, '', location.pathname); // neither in the history nor in a Referer
    if (!pending) return false; // not begun in this tab, or back from signing out
    if (answer.get('iss') !== this.server.issuer) throw new Error('The answer is of another server (RFC 9207).');
    if (answer.has('error')) throw new Error(answer.get('error_description') ?? answer.get('error'));
    const tokens = await this.#token({
      grant_type: 'authorization_code',
      code: answer.get('code'),
      redirect_uri: this.redirectUri,
      code_verifier: pending.verifier,
    });
    const claims = this.#checked(tokens.id_token);
    if (claims.nonce !== pending.nonce) throw new Error('The ID token is of another sign-in.');
    this.#keep(tokens, claims);
    return true;
  }

  // One tab after the other: who waited finds that the work is done.
  refreshInTurn() {
    const seen = this.session?.refresh_token;
    return navigator.locks.request(SESSION, () => (this.session?.refresh_token === seen ? this.refresh() : this.session));
  }

  async refresh() {
    const before = this.session;
    if (!before) throw new SignedOut();
    const tokens = await this.#token({ grant_type: 'refresh_token', refresh_token: before.refresh_token });
    const claims = tokens.id_token ? this.#checked(tokens.id_token) : before.claims;
    if (claims.sub !== before.claims.sub) throw new Error('The ID token is of another user.');
    // Signed out meanwhile, perhaps in another tab: it stays like that.
    if (!this.session) throw new SignedOut();
    return this.#keep({ ...before, ...tokens }, claims);
  }

  async userinfo() {
    const { session } = this;
    if (!session) throw new SignedOut();
    const headers = { Authorization: `Bearer ${session.access_token}` };
    const answer = await fetch(this.server.userinfo_endpoint, { headers });
    if (!answer.ok) throw new Error(`userinfo: ${answer.status}`);
    const told = await answer.json();
    if (told.sub !== session.claims.sub) throw new Error('This is about another user.');
    return told;
  }

  // Here, at the server and, by the storage event, in the other tabs.
  signOut() {
    const { id_token } = this.session;
    localStorage.removeItem(SESSION);
    location.assign(withQuery(this.server.end_session_endpoint, {
      id_token_hint: id_token,
      client_id: this.clientId,
      post_logout_redirect_uri: this.redirectUri,
    }));
  }

  // Of what another tab has done: signed in, refreshed, signed out.
  onChange(call) {
    addEventListener('storage', (event) => {
      if (event.key === SESSION || event.key === null) call(this.session);
    });
  }

  async #token(fields) {
    const body = new URLSearchParams({ client_id: this.clientId, ...fields });
    const answer = await fetch(this.server.token_endpoint, { method: 'POST', body });
    // The same refresh token is good to present again.
    if (answer.status === 503 || answer.status === 429) throw new TryAgain(Number(answer.headers.get('Retry-After')));
    const told = await answer.json();
    if (told.error === 'invalid_grant' && fields.grant_type === 'refresh_token') {
      localStorage.removeItem(SESSION);
      throw new SignedOut();
    }
    if (!answer.ok) throw new Error(told.error_description ?? told.error);
    return told;
  }

  // It came straight from the token endpoint, so its signature need not be verified (OpenID Connect Core, section 3.1.3.7).
  #checked(idToken) {
    const claims = JSON.parse(new TextDecoder().decode(fromBase64url(idToken.split('.')[1])));
    const audiences = [claims.aud].flat();
    if (claims.iss !== this.server.issuer) throw new Error('The ID token is of another server.');
    if (audiences.length !== 1 || audiences[0] !== this.clientId) throw new Error('The ID token is for another client.');
    if (claims.exp * 1000 < Date.now()) throw new Error('The ID token has expired.');
    return claims;
  }

  #keep(tokens, claims) {
    const { access_token, refresh_token, id_token, expires_in } = tokens;
    const session = { access_token, refresh_token, id_token, claims, expires_at: Date.now() + expires_in * 1000 };
    localStorage.setItem(SESSION, JSON.stringify(session));
    return session;
  }
}

function withQuery(endpoint, parameters) {
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function sha256(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
}
