"""Long files, made in the background."""
