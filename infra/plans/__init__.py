"""Plans as files: golden cases read, folded and compared; what a change of plans changes."""
