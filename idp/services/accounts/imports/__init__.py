"""Accounts that come from elsewhere: what each format says, and taking them over in batches."""
