"""Questions to the ledger, one subject a file: SQL in, plain rows out, every table read FINAL."""
