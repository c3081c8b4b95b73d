"""Moving over from the Django service: its users, movies and lists, with their ids and times."""
