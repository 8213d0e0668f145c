"""Routes: HTTP in, one question to the ledger, a shape out."""
