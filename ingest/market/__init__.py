"""Prices and rates of exchange, from CSV."""
