"""What the API answers, as JSON Schema knows it."""
