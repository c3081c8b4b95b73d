"""The same services as the tests of the accounts, and of lists, have."""

from tests.auth.conftest import accounts_url, service, shared_service
from tests.movies.people import people, people_url, shared_people

__all__ = ["accounts_url", "people", "people_url", "service", "shared_people", "shared_service"]
