"""What the partner book is made of: periods, what they settle, statements and their hash."""
