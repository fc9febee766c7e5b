"""Tokens: the token endpoint, grants, refresh-token families, introspection, revocation, userinfo."""
