"""
A resource server that verifies access tokens with PyJWT: pip install 'pyjwt[crypto]'

    python resource_server_pyjwt.py http://localhost:8000 9001 http://localhost:9001/
    curl http://localhost:9001/ -H "Authorization: Bearer $ACCESS_TOKEN"

All it needs to know is the issuer and its own name, for which clients ask as `resource` (RFC 8707): a token that names no
resource opens the issuer's own interfaces, so an API should not be handed one. Discovery tells where the keys are. PyJWT
fetches them once and again when a token names a key that it does not know, so a rotation of keys needs nothing here.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import jwt


class Verifier:
    def __init__(self, issuer: str, audience: str | None = None) -> None:
        with urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5) as answer:
            metadata = json.load(answer)
        self.issuer = metadata["issuer"]
        self.audience = audience or self.issuer
        self.keys = jwt.PyJWKClient(metadata["jwks_uri"])

    def claims(self, token: str) -> dict:
        """Raises jwt.PyJWTError for anything that is not a live access token of this issuer for this audience."""
        # RFC 9068, section 4: the type keeps ID tokens out; the algorithm is ours to choose, never the token's.
        if jwt.get_unverified_header(token).get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        key = self.keys.get_signing_key_from_jwt(token)
        return jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["exp", "iat", "sub", "client_id"]},
        )


class Api(BaseHTTPRequestHandler):
    verifier: Verifier

    def do_GET(self) -> None:
        try:
            claims = self.verifier.claims(self.headers.get("Authorization", "").removeprefix("Bearer "))
        except jwt.PyJWTError:
            self.answer(401, {"error": "invalid_token"})
        else:
            self.answer(200, {"sub": claims["sub"], "roles": claims["roles"], "scope": claims["scope"]})

    def answer(self, status: int, body: dict) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


if __name__ == "__main__":
    Api.verifier = Verifier(sys.argv[1], *sys.argv[3:4])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Api).serve_forever()
