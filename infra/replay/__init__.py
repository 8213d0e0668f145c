"""Partitions folded again from the archive, and compared with the stored rows."""
