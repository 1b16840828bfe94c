"""Servers for the stress tests: the same as for the end-to-end tests."""

from tests.e2e.conftest import server, start_server

__all__ = ["server", "start_server"]
