"""Every operation of every OpenAPI document does what its document says, whatever it is sent (by schemathesis).

Never a 500, never a status or an answer that the document does not have, no wrong input accepted, no undeclared verb
answered, nothing slower than a few seconds. It sends the same each time; `st run` says how to repeat what it found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, Mailbox, Person, register
from tests.support.recordings import a_run, gpx
from tests.support.running import How, Running, running

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DOCUMENTS = sorted(path.stem for path in (ROOT / "docs" / "openapi").glob("*.json"))
EXAMPLES, EXAMPLES_OF_STRANGERS = 12, 4
SLOWEST_S = 5
# It ends the session, or takes away what the others are tried on; without its own id it is tried with all the rest.
DESTROYS = ("removeActivity", "endSession", "signOut")


@pytest.fixture(scope="module")
def own(pytestconfig: pytest.Config) -> Iterator[Running]:
    """A Runnerly of its own, which does not lock an address out after so many failed sign-ins."""
    with running(pytestconfig, How.RUN, RUNNERLY_SIGN_IN_FAILURES_ADDRESS="1000000") as started:
        yield started


@pytest.fixture(scope="module")
def somebody(own: Running) -> Person:
    """Somebody with a run."""
    return register(own.port, Mailbox(own.sandbox_port))


def paths_of(document: str) -> dict[str, dict[str, Any]]:
    """The paths of a committed document."""
    paths: dict[str, dict[str, Any]] = json.loads((ROOT / "docs" / "openapi" / f"{document}.json").read_bytes())[
        "paths"
    ]
    return paths


WITH_SCOPES = [name for name in DOCUMENTS if any("x-scope" in o for p in paths_of(name).values() for o in p.values())]
WITH_IDS = [name for name in DOCUMENTS if any("{" in path for path in paths_of(name))]


def signed_in(person: Person) -> str:
    """The option with a fresh token: attacks sign out, too."""
    person.sign_in()
    return f"--header=Authorization: Bearer {person.api.token}"


def attack(own: Running, document: str, examples: int, *options: str, folder: Path, more: str = "") -> None:
    """Try every operation of a document; fails with all that was found, and how to repeat it."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIGURATION.read_text() + more)
    url = f"http://127.0.0.1:{own.port}/api/openapi/{document}.json"
    command = [Path(sys.executable).with_name("st"), "--config-file", config, "run", url]
    bounds = [f"--max-examples={examples}", f"--max-response-time={SLOWEST_S}"]
    tried = subprocess.run(
        [*command, *bounds, *options], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert tried.returncode == 0, tried.stdout[-20_000:] + tried.stderr[-2000:]
    failed = [line for line in (own.home / "log" / "runnerly.log").read_text().splitlines() if '"http.error"' in line]
    assert failed == []


def test_the_served_documents_are_the_committed_ones(own: Running) -> None:
    served = Api(own.port).get("/api/openapi").json["items"]
    assert sorted(served) == DOCUMENTS
    for name in served:
        document = Api(own.port).get(f"/api/openapi/{name}.json").json
        assert document["paths"] == paths_of(name), f"run `runnerly openapi`: {name} is stale"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_stranger_breaks_nothing(own: Running, tmp_path: Path, document: str) -> None:
    attack(own, document, EXAMPLES_OF_STRANGERS, folder=tmp_path)


@pytest.mark.parametrize("document", WITH_SCOPES)
def test_somebody_who_signed_in_breaks_nothing(own: Running, somebody: Person, tmp_path: Path, document: str) -> None:
    attack(own, document, EXAMPLES, signed_in(somebody), folder=tmp_path)


@pytest.mark.parametrize("document", WITH_IDS)
def test_somebody_breaks_nothing_of_their_own(own: Running, somebody: Person, tmp_path: Path, document: str) -> None:
    """The same with ids that are there."""
    token = signed_in(somebody)
    activity = somebody.api.upload("run.gpx", gpx(a_run(1800, every=5))).json
    session = somebody.api.get("sessions").json["items"][0]
    ids = {"activity_id": activity.get("id") or activity["existing"]["id"], "session_id": session["id"]}
    known = "\n[parameters]\n" + "".join(f'"path.{name}" = "{id_}"\n' for name, id_ in ids.items())
    kept = [f"--exclude-operation-id={operation}" for operation in DESTROYS]
    attack(own, document, EXAMPLES, token, *kept, more=known, folder=tmp_path)
