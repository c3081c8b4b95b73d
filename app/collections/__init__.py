"""Groups of movies, private or public."""
