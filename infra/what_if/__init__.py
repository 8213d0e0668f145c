"""The history under other terms."""
