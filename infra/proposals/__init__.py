"""Corrections: previewed, decided by two people, posted."""
