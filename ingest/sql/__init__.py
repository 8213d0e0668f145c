"""A server's own database, read only."""
