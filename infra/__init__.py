"""The processes: local Kafka, ClickHouse migrations, the demo and the `ibflow` command that puts the rooms together."""
