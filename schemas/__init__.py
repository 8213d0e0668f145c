"""Every shape that crosses a process boundary, and every name, spelled once."""
