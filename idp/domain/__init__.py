"""What things are, rules on them, and the Protocols for keeping them. Imports the standard library only."""
