"""The same people as the tests of likes have."""

from tests.movies.conftest import statements
from tests.movies.people import people, people_url, shared_people

__all__ = ["people", "people_url", "shared_people", "statements"]
