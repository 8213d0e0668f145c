"""Tracking links as records of one log, and the ids of clicks on them."""
