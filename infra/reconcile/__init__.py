"""A platform's own account of its deals against ours."""
