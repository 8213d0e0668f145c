"""Which reader a file is for, and a dead letter read again."""
