"""Fixtures and hooks for every test: real parts, and a loud word where one is missing."""

pytest_plugins = ("tests.support.missing", "tests.support.database", "tests.support.rabbitmq")
