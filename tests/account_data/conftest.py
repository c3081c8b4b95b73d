"""The same service as the tests of the accounts have."""

from tests.auth.conftest import accounts_url, service, shared_service

__all__ = ["accounts_url", "service", "shared_service"]
