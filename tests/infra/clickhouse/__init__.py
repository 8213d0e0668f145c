"""Migrations carry a folder over."""
