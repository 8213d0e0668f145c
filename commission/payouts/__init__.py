"""Payouts, purely: what is commanded of an IB's book, and batches as logs of what people did."""
