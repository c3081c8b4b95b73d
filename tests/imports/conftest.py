"""People, and their lists."""

from tests.movies.people import people, people_url, shared_people

__all__ = ["people", "people_url", "shared_people"]
