"""HTTP machinery that every controller shares: the exchange, access, answers, refusals, cookies."""
