"""What is read, sent to Kafka."""
