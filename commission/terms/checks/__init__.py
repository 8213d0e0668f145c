"""Checks of terms before they are published."""
