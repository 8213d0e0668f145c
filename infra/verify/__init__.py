"""The ledger's invariants, measured."""
