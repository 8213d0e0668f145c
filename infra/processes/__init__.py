"""The processes on one machine, and who watches them."""
