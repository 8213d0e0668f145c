"""The books message by message: from Kafka, from ClickHouse, or through the owner of an embedded one."""
