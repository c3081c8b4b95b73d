"""Answers by Claude, and those that the database gives in its place."""
