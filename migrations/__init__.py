"""Tortoise migrations, one step a file. Constraints, partial indexes and grants are SQL in them: see idp/database/tables.py."""
