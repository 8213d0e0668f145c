"""Sums of days: built of rows, and compared with them."""
