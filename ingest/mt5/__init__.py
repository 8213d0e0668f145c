"""MetaTrader 5: what its records mean, and every form they come in."""
