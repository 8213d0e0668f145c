"""Tests of the stages without Kafka: what a partition does with a log."""
