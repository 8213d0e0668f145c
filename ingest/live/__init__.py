"""The loop around a live source, how far it has read, and its deals against ours."""
