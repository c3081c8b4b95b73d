"""The catalogue and the search that fills it."""
