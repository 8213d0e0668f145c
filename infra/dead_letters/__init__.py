"""Dead letters, worked off by a person: from a terminal or in the browser."""
