"""Endpoints of partner networks as records of one log, and which event goes to which of them."""
