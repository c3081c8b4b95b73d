"""What stops an import. What was written before that stays, and a second start goes on from there."""


class DatasetImportStopped(Exception):  # noqa: N818 - nothing is wrong with the program
    """It cannot go on; the text says why, for a person."""
