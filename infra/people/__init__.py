"""People, keys, sessions and the audit log: what people decided, as logs on Kafka."""
