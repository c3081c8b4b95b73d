"""The user's data, to take along and to delete: reads from all rooms."""
