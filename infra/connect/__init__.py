"""From settings to what stands there: Kafka, topics, ClickHouse, a port, a running server."""
