// What the page shows. All that is OpenID Connect is in oidc.js.
import { SignedOut, connect } from './oidc.js';

const $ = (id) => document.getElementById(id);
let refreshes = 0;

function show(session, status = '') {
  $('status').textContent = status;
  $('outside').hidden = Boolean(session);
  $('inside').hidden = !session;
  if (!session) return;
  $('expires').textContent = new Date(session.expires_at).toLocaleTimeString();
  $('claims').textContent = JSON.stringify(session.claims, null, 2);
}

async function tell(client) {
  const told = await client.userinfo();
  $('name').textContent = told.name ?? told.email ?? told.sub;
  $('userinfo').textContent = JSON.stringify(told, null, 2);
}

// What went wrong is said; who has been signed out sees the way in.
const trying = (client, act) => async () => {
  try {
    await act();
  } catch (error) {
    show(client.session, error instanceof SignedOut ? 'Your session has ended.' : error.message);
  }
};

const client = await connect({
  issuer: new URL('..', location.href).href.replace(/\/$/, ''), // it is served at {issuer}/demo/
  clientId: 'demo-spa',
  redirectUri: new URL('./', location.href).href,
  scope: 'openid profile email offline_access',
}).catch((error) => {
  $('status').textContent = error.message;
});

if (client) {
  $('sign-in').onclick = trying(client, () => client.signIn());
  $('sign-out').onclick = trying(client, () => client.signOut());
  $('refresh').onclick = trying(client, async () => {
    const session = await ($('locks').checked ? client.refreshInTurn() : client.refresh());
    refreshes += 1;
    $('refreshed').textContent = refreshes;
    show(session, 'Refreshed.');
    await tell(client);
  });
  client.onChange(trying(client, async () => {
    show(client.session, client.session ? '' : 'You have signed out in another tab.');
    if (client.session) await tell(client);
  }));
  await trying(client, async () => {
    await client.finishSignIn();
    show(client.session);
    if (client.session) await tell(client);
  })();
}
