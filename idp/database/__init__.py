"""Connections and shapes, no behaviour: tables, Postgres, Redis, scripts, migrations."""
