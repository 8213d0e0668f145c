"""What the client book is made of: deals, positions, CRM facts, accruals and what takes them back."""
