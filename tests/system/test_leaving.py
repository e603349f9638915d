"""Take everything out, bring it to another account, and leave: killed in the middle, and looked for afterwards everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.api import PASSWORD, Api, Mailbox, Person, register
from tests.support.processes import wait_until
from tests.support.recordings import Session, a_run, fit, gpx
from tests.support.running import How, Running, running
from tests.support.takeouts import Takeout
from tests.support.traces import everywhere, in_files

MARCH, APRIL = (datetime(2026, month, 14, 7, 30, tzinfo=UTC) for month in (3, 4))
FILES = {"run.gpx": gpx(a_run(900, start=MARCH, every=5)), "ride.fit": fit(Session(a_run(1200, start=APRIL, every=5)))}
EDITS = {"title": "Über den Hügel", "description": "in the rain", "visibility": "public", "perceived_exertion": 7}
ALONE = gpx(a_run(700, start=APRIL, every=7, lat=12.34567))
NAME = "Röschen von Teststadt"
# The database's own files are what we look into through the database; the sandbox is the world outside.
NOT_OURS = ("mongo", "sandbox")


@pytest.fixture(scope="module")
def it(pytestconfig: pytest.Config) -> Iterator[Running]:
    """One that may be killed; a deletion looks once more after a second."""
    with running(pytestconfig, How.RUN, RUNNERLY_DELETION_SWEEP_S="1") as started:
        yield started


def told(read: Callable[[], Any], expected: object, within_s: float = 60) -> None:
    """Return once this is what is told; a Runnerly that is just starting tells nothing."""
    value: Any = None

    def is_told() -> bool:
        nonlocal value
        try:
            value = read()
        except (OSError, KeyError):
            return False
        return bool(value == expected)

    try:
        wait_until(is_told, within_s=within_s, what=f"{expected!r}")
    except TimeoutError:
        raise AssertionError(f"it became {value!r}, not {expected!r}") from None


def exported(it: Running, person: Person) -> Takeout:
    """A person's takeout; the process is killed while it is made."""
    asked = person.api.post("accounts/me/exports")
    assert asked.status == 202, asked.body
    it.kill()
    it.wait_gone()
    it.start()
    path = f"accounts/me/exports/{asked.json['id']}"
    told(lambda: person.api.get(path).json["state"], "done")
    archive = person.api.get(person.api.get(path).json["url"])
    assert archive.headers["Content-Type"] == "application/zip"
    return Takeout(archive.body)


def test_everything_goes_out_comes_in_elsewhere_and_leaves_no_trace(it: Running) -> None:
    mailbox = Mailbox(it.sandbox_port)
    person = register(it.port, mailbox)
    sub = person.api.get("accounts/me").json["id"]
    assert person.api.ask("PATCH", "accounts/me", {"name": NAME}).status == 200
    ids = {name: person.api.upload(name, content).json["id"] for name, content in FILES.items()}
    edited = person.api.ask("PATCH", f"activities/{ids['run.gpx']}", EDITS)
    assert edited.status == 200, edited.body

    takeout = exported(it, person)
    assert set(takeout.under("originals").values()) == set(FILES.values())
    assert takeout.json("account.json")["email"] == person.email

    other = register(it.port, mailbox)
    begun = other.api.post("imports", takeout.archive, content_type="application/zip")
    assert begun.status == 202, begun.body
    told(lambda: other.api.get(f"imports/{begun.json['id']}").json["state"], "done")
    assert other.api.get(f"imports/{begun.json['id']}").json["added"] == len(FILES)
    came = other.api.get("activities", sort="started_at").json["items"]
    assert {name: came[0][name] for name in EDITS} == EDITS
    assert other.api.get(f"activities/{came[1]['id']}/original").body == FILES["ride.fit"]

    assert person.api.upload("alone.gpx", ALONE).status == 201
    who = [sub, person.email, NAME]
    needles = [*who, ids["run.gpx"], ALONE[ALONE.index(b"12.34567") :][:80]]
    found = everywhere(database_of(it), needles)
    assert all(any(repr(needle) in where for where in found) for needle in needles), found
    left = person.api.post("accounts/me/deletion", {"password": PASSWORD})
    assert left.status == 202, left.body
    it.kill()
    it.wait_gone()
    it.start()
    told(lambda: Api(it.port).get(f"accounts/deletions/{left.json['id']}").json["state"], "done")
    told(lambda: any("deleted" in mail["subject"] for mail in mailbox.messages(person.email)), expected=True)
    receipt = next(mail for mail in mailbox.messages(person.email) if "deleted" in mail["subject"])
    assert left.json["id"] in receipt["text"]

    assert Api(it.port, person.api.token).get("activities").status == 401
    assert Api(it.port).post("sessions", {"email": person.email, "password": PASSWORD}).status == 401
    told(lambda: everywhere(database_of(it), needles), [])
    assert in_files(it.home, who, but=NOT_OURS) == []
    assert in_files(it.log.parent, who, but=(it.home.name,)) == []
    assert other.api.get(f"activities/{came[0]['id']}").status == 200, "others keep what is theirs"
    assert again(it, mailbox, person.email).api.get("activities").json["items"] == []


def again(it: Running, mailbox: Mailbox, email: str) -> Person:
    """Somebody new at an address that had mail before."""
    person, before = Person(Api(it.port), email), len(mailbox.messages(email))
    assert person.api.post("accounts", {"email": email, "password": PASSWORD, "name": "Rosa"}).status == 202
    mailbox.messages(email, at_least=before + 1)
    assert person.api.post("accounts/activation", {"token": mailbox.activation_token(email)}).status == 200
    person.sign_in()
    return person


def database_of(it: Running) -> str:
    """Where its embedded database is, as it says itself."""
    return (it.home / "run" / "database").read_text()
