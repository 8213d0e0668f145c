"""Payouts: batches that two people make, balances they change, and all of it compared."""
