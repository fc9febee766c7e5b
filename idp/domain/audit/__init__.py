"""The audit trail: events, chain, patterns."""
