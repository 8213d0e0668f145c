"""Edges of the fold, worked out by hand."""
