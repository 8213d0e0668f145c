"""The broker's YAML to terms records."""
