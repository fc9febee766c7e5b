"""What `idp serve` is made of: worker processes, their restarts, the HTTP servers."""
