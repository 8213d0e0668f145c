"""The SQL of the schema, by number, and what applies it."""
