"""Sign-in: authorization requests, passwords checked, browser sessions, consent, lockout, known devices."""
