"""
A resource server that verifies access tokens with Authlib in Flask: pip install authlib flask requests

    python resource_server_authlib.py http://localhost:8000 9002 http://localhost:9002/
    curl http://localhost:9002/ -H "Authorization: Bearer $ACCESS_TOKEN"

The last argument is its own name, for which clients ask as `resource` (RFC 8707): a token that names no resource opens the
issuer's own interfaces, so an API should not be handed one.

Authlib's validator follows RFC 9068: signature, issuer, audience, type and expiry, then the scope that a route asks for.
"""

import json
import sys
import time
from urllib.request import urlopen

from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask
from joserfc.jwk import KeySet


class Validator(JWTBearerTokenValidator):
    def __init__(self, issuer: str, audience: str | None = None) -> None:
        metadata = fetched(f"{issuer}/.well-known/openid-configuration")
        super().__init__(issuer=metadata["issuer"], resource_server=audience or metadata["issuer"])
        self.jwks_uri = metadata["jwks_uri"]
        self.keys = KeySet.import_key_set(fetched(self.jwks_uri))
        self.fetched_at = 0.0

    def get_jwks(self) -> KeySet:
        return self.keys

    def authenticate_token(self, token_string: str):
        try:
            return super().authenticate_token(token_string)
        except InvalidTokenError:
            # Perhaps a key that is new: the set is fetched again, at most once a second whoever sends nonsense.
            if time.monotonic() - self.fetched_at < 1:
                raise
            self.fetched_at = time.monotonic()
            self.keys = KeySet.import_key_set(fetched(self.jwks_uri))
            return super().authenticate_token(token_string)


def fetched(url: str) -> dict:
    with urlopen(url, timeout=5) as answer:
        return json.load(answer)


def create_app(issuer: str, audience: str | None = None) -> Flask:
    app = Flask(__name__)
    require_token = ResourceProtector()
    require_token.register_token_validator(Validator(issuer, audience))

    @app.get("/")
    @require_token("profile")
    def who():
        return {"sub": current_token["sub"], "roles": current_token["roles"], "scope": current_token["scope"]}

    return app


if __name__ == "__main__":
    create_app(sys.argv[1], *sys.argv[3:4]).run("127.0.0.1", int(sys.argv[2]))
