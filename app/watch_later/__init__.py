"""The personal queue: what a user wants to watch later."""
