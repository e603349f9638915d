"""Every operation of every OpenAPI document does what its document says, whatever it is sent (by schemathesis).

Never a 500, never a status or an answer that the document does not have, no wrong input accepted, no undeclared verb
answered, nothing slower than a few seconds. It sends the same each time; `st run` says how to repeat what it found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, Mailbox, Person, register
from tests.support.recordings import a_run, gpx
from tests.support.running import How, Running, running

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DOCUMENTS = sorted(path.stem for path in (ROOT / "docs" / "openapi").glob("*.json"))
EXAMPLES = 12
SLOWEST_S = 5
AT_ONCE = 2
# They end the session or take away what the others are tried on, so they get ids that nobody has.
DESTROYERS = ("removeActivity", "endSession", "removeGear")


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


def ids_of(person: Person) -> str:
    """The configuration that puts ids into paths: of things that are there, or, where they would be gone, of none."""
    run = person.api.upload("run.gpx", gpx(a_run(1800, every=5))).json
    person.api.ask("PATCH", f"activities/{run['id']}", {"visibility": "public"})
    ids = {
        "activity_id": run["id"],
        "session_id": person.api.get("sessions").json["items"][0]["id"],
        "gear_id": person.api.post("gear", {"kind": "shoes", "name": "Blue"}).json["id"],
        "secret": person.api.get(f"activities/{run['id']}/share").json["secret"],
    }
    spared = "".join(
        f'\n[[operations]]\ninclude-operation-id = "{operation}"\n'
        + "".join(f'parameters."path.{name}" = "nobodys"\n' for name in ids)
        for operation in DESTROYERS
    )
    return spared + "\n[parameters]\n" + "".join(f'"path.{name}" = "{id_}"\n' for name, id_ in ids.items())


def attack(own: Running, documents: Sequence[str], *options: str, folder: Path, more: str = "") -> None:
    """Try every operation of these documents; fails with all that was found, and how to repeat it."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIGURATION.read_text() + more)

    def tried(document: str) -> subprocess.CompletedProcess[str]:
        url = f"http://127.0.0.1:{own.port}/api/openapi/{document}.json"
        command = [Path(sys.executable).with_name("st"), "--config-file", config, "run", url]
        bounds = [f"--max-response-time={SLOWEST_S}", *options]
        return subprocess.run([*command, *bounds], cwd=folder, capture_output=True, text=True, timeout=420, check=False)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(tried, documents))
    told = [result.stdout[-20_000:] + result.stderr[-2000:] for result in results if result.returncode != 0]
    assert not told, "\n\n".join(told)
    failed = [line for line in (own.home / "log" / "runnerly.log").read_text().splitlines() if '"http.error"' in line]
    assert failed == []


def test_the_served_documents_are_the_committed_ones(own: Running) -> None:
    served = Api(own.port).get("/api/openapi").json["items"]
    assert sorted(served) == DOCUMENTS
    for name in served:
        document = Api(own.port).get(f"/api/openapi/{name}.json").json
        assert document["paths"] == paths_of(name), f"run `runnerly openapi`: {name} is stale"


def test_a_stranger_breaks_nothing(own: Running, tmp_path: Path) -> None:
    attack(own, DOCUMENTS, "--phases=examples,coverage", folder=tmp_path)


@pytest.mark.timeout(480)  # some hundred operations, a dozen tries each
def test_somebody_who_signed_in_breaks_nothing(own: Running, somebody: Person, tmp_path: Path) -> None:
    token = f"--header=Authorization: Bearer {somebody.api.token}"
    attack(own, WITH_SCOPES, token, f"--max-examples={EXAMPLES}", folder=tmp_path, more=ids_of(somebody))
