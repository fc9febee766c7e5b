"""HTTP: parse, one call of a service, answer. Functions and ASGI callables that are handed what they need."""
