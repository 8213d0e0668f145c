"""Proposals: corrections that one person asks for and another decides."""
