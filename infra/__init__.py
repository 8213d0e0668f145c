"""The processes and what they stand on: Kafka, ClickHouse, topics, and the `ibflow` command."""
