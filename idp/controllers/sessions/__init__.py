"""Sessions, sign-out and the notices that clients get of it."""
