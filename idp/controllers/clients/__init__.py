"""Clients: registration at every door, metadata, authentication, keys."""
