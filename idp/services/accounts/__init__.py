"""Accounts: registration, profile, password, address, deletion, administration, import and export."""
