"""Statements for people: HTML and PDF, figures as their reader writes them."""
