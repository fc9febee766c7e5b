"""An MCP server as authorization sees it: it takes tokens made for it, and says where to get them (RFC 9728)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt

METADATA = "/.well-known/oauth-protected-resource/mcp"
SCOPE = "mcp:tools"


@dataclass
class McpResource:
    """*scopes*: what its metadata lists as `scopes_supported`."""

    issuer: str
    port: int
    scopes: tuple[str, ...] = (SCOPE, "mcp:of-nobody")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/mcp"

    def metadata(self) -> dict[str, Any]:
        return {"resource": self.url, "authorization_servers": [self.issuer], "scopes_supported": self.scopes}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ")[1]
        if path == METADATA:
            answer = _json("200 OK", self.metadata())
        elif path != "/mcp":
            answer = _json("404 Not Found", {})
        elif await asyncio.to_thread(self._takes, _bearer(head)):
            answer = _json("200 OK", {"tools": []})
        else:
            where = f"http://localhost:{self.port}{METADATA}"
            answer = _json("401 Unauthorized", {}, f'WWW-Authenticate: Bearer resource_metadata="{where}"\r\n')
        writer.write(answer)
        await writer.drain()
        writer.close()

    def _takes(self, token: str) -> bool:
        keys = jwt.PyJWKClient(f"{self.issuer}/.well-known/jwks.json")
        try:
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, ["RS256"], audience=self.url, issuer=self.issuer)
        except jwt.PyJWTError:
            return False
        return SCOPE in claims["scope"].split()


def _bearer(head: str) -> str:
    lines = [line for line in head.split("\r\n") if line.lower().startswith("authorization: bearer ")]
    return lines[0].split(" ")[2] if lines else ""


def _json(status: str, body: Any, headers: str = "") -> bytes:
    content = json.dumps(body).encode()
    start = f"HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nConnection: close\r\n"
    return f"{start}Content-Length: {len(content)}\r\n\r\n".encode() + content


@asynccontextmanager
async def mcp_resource(resource: McpResource) -> AsyncIterator[McpResource]:
    server = await asyncio.start_server(resource.serve, "127.0.0.1", resource.port)
    try:
        yield resource
    finally:
        server.close()
