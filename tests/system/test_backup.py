"""A backup taken while it serves brings everything back, on another machine too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, Mailbox, Person, register
from tests.support.recordings import a_run, gpx
from tests.support.running import ROOT, How, Running, a_home, running

RUN = gpx(a_run(300, start=datetime(2026, 3, 1, 7, tzinfo=UTC), every=10))


@pytest.fixture
def first(pytestconfig: pytest.Config) -> Iterator[Running]:
    """The Runnerly that one leaves."""
    with running(pytestconfig, How.RUN) as started:
        yield started


def runnerly(it: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, in the surroundings of one Runnerly."""
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(command, cwd=ROOT, env=it.environ, capture_output=True, text=True, timeout=120, check=False)


def all_of(person: Person) -> dict[str, Any]:
    """Everything that the API tells of somebody's runs."""
    api = person.api
    items = api.get("activities", limit=100).json["items"]
    return {
        "me": api.get("accounts/me").json,
        "activities": [api.get(f"activities/{item['id']}").json for item in items],
        "originals": [api.get(f"activities/{item['id']}/original").body for item in items],
        "months": api.get("stats", by="month").json,
    }


def test_everything_is_there_after_a_move(first: Running, tmp_path: Path) -> None:
    """People sign in with their passwords, and their runs are what they were, to the byte."""
    person = register(first.port, Mailbox(first.sandbox_port))
    assert person.api.upload("run.gpx", RUN).status == 201
    before = all_of(person)
    assert before["originals"] == [RUN]
    archive = tmp_path / "archive"
    taken = runnerly(first, "backup", str(archive))
    assert taken.returncode == 0, taken.stderr
    assert person.api.get("activities").status == 200  # it served on
    first.stop()
    with a_home() as home:
        second = Running(How.RUN, home)
        restored = runnerly(second, "restore", str(archive))
        assert restored.returncode == 0, restored.stderr
        assert runnerly(second, "restore", str(archive)).returncode == 4  # never over what is there
        try:
            second.start()
            moved = Person(Api(second.port), person.email)
            moved.sign_in()
            assert all_of(moved) == before
        finally:
            second.destroy()
