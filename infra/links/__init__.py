"""Tracking links: kept on a log, and clicks on them from a spool to Kafka."""
