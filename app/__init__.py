"""Movie Finder API: find films, keep them, and organise them."""

__version__ = "0.1.0"
