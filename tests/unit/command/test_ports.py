"""A second Runnerly on a machine needs a port of its own for people, and finds those between its own parts itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from services.chassis.settings import ProcessSettings
from services.command.ports import free_port, is_free, with_own_ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_not_free(taken: int) -> None:
    assert not is_free(taken, "127.0.0.1")
    assert not is_free(taken, "0.0.0.0")
    assert is_free(free_port(), "127.0.0.1")


def test_the_usual_port_is_kept_where_it_is_free() -> None:
    usual = ProcessSettings(internal_port=free_port())
    assert with_own_ports(usual, {}).internal_port == usual.internal_port


def test_where_a_usual_port_is_taken_another_one_is_found(taken: int) -> None:
    found = with_own_ports(ProcessSettings(internal_port=taken, sandbox_smtp_port=taken), {})
    assert taken not in {found.internal_port, found.sandbox_smtp_port}
    assert is_free(found.internal_port, "127.0.0.1")
    assert found.peer("accounts") == f"http://127.0.0.1:{found.internal_port}/accounts"


def test_a_port_that_was_set_is_meant(taken: int) -> None:
    environ = {"RUNNERLY_INTERNAL_PORT": str(taken), "RUNNERLY_SANDBOX_SMTP_PORT": str(taken)}
    asked = ProcessSettings(internal_port=taken, sandbox_smtp_port=taken)
    assert with_own_ports(asked, environ) == asked
