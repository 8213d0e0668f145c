"""MetaTrader 4: what its records mean, and every form they come in."""
