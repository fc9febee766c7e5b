"""Operation: health, metrics, limits, signing keys, statistics, doctor."""
