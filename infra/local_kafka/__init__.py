"""A local, single-node Apache Kafka that needs neither Docker nor Java nor Maven installed."""
