"""The domain's Protocols over Postgres and Redis. Rows and keys never leave. A refusal is raised outside of a transaction."""
