"""Rows of the ledger made into what people read."""
