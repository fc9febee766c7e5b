"""Use cases, async. They know the domain's Protocols, not who implements them, and no web framework."""
