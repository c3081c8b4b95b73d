"""What stops a takeover. Nothing has been changed then."""


class TakeoverRefused(Exception):  # noqa: N818 - nothing is wrong with the program
    """It cannot be done; the text says why, for a person, and names no password."""
