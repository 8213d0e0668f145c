"""Tracking links: where they lead, who clicks, and the redirect itself."""
