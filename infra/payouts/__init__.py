"""Payout lines given out, each once."""
