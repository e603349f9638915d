"""The table of what is kept names every collection there is, and goes by the times that the code has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.accounts.domain.links import GOOD_FOR
from services.accounts.domain.second_factor import PENDING_FOR
from services.accounts.settings import Settings as AccountsSettings
from services.accounts.store import deletions, known_devices
from services.activities.domain import imports
from services.chassis import idempotency, tombstones
from services.chassis.bus import mongo as bus
from services.chassis.mongo import CollectionSpec
from services.command.street import street
from services.mailer.settings import Settings as MailerSettings
from services.tokendealer.domain.authorizations import CODE_REMEMBERED_FOR
from services.tokendealer.settings import Settings as TokendealerSettings

PAGE = Path(__file__).parents[3] / "docs" / "retention.md"
ROW = re.compile(r"^((?:`[a-z*_.]+`(?:, )?)+) \| (.+?) \| (.+?) \| (.+)$", re.MULTILINE)

# What an index that expires at a field's own time can't say: how long that is.
PERIODS = {
    "accounts.links": max(timedelta(hours=AccountsSettings().activation_hours), *GOOD_FOR.values()),
    "accounts.second_factors": PENDING_FOR,
    "accounts.known_devices": known_devices.KEPT_FOR,
    "accounts.exports": timedelta(days=AccountsSettings().export_kept_days),
    "accounts.deletions": deletions.RECEIPT_KEPT,
    "accounts.audit": timedelta(days=AccountsSettings().audit_days),
    "activities.imports": imports.KEPT_FOR,
    "mailer.messages": timedelta(days=MailerSettings().mail_kept_days),
    "mailer.suppressions": timedelta(days=MailerSettings().mail_kept_days),
    "tokendealer.families": timedelta(days=TokendealerSettings().session_idle_days),
    "tokendealer.codes": CODE_REMEMBERED_FOR,
    "*.idempotency": idempotency.KEPT_FOR,
    "*.tombstones": tombstones.KEPT_FOR,
}


def kept() -> dict[str, CollectionSpec]:
    """Every collection by the name that the table has for it; those that all services have once, under `*`."""
    services = [service for service in street() if service.needs_database]
    common = set.intersection(*({spec.name for spec in service.all_collections} for service in services))
    named = {f"bus.{spec.name}": spec for spec in bus.COLLECTIONS}
    for service in services:
        for spec in service.all_collections:
            named[f"{'*' if spec.name in common else service.name}.{spec.name}"] = spec
    return named


def told() -> dict[str, str]:
    """When each collection's documents go, as the table says."""
    rows: dict[str, str] = {}
    for names, _, goes, why in ROW.findall(PAGE.read_text()):
        for name in re.findall(r"`([^`]+)`", names):
            assert name not in rows, f"{name} has two rows"
            assert why.strip(), name
            rows[name] = goes
    return rows


def in_words(period: timedelta) -> Iterator[str]:
    """How people may say it."""
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        number, rest = divmod(int(period.total_seconds()), seconds)
        if number and not rest:
            yield f"{number} {unit}" + ("s" if number > 1 else "")


def test_every_collection_has_a_row_and_every_row_a_collection() -> None:
    assert sorted(told()) == sorted(kept())


@pytest.mark.parametrize("name", sorted(kept()))
def test_a_row_goes_by_the_index(name: str) -> None:
    """A field in code is an index that expires by it; without one, the row must not promise a time of the database's."""
    goes = told()[name]
    expiring = {index.keys[0][0]: index for index in kept()[name].indexes if index.expire_after_s is not None}
    assert set(re.findall(r"`([^`]+)`", goes)) == set(expiring), goes
    for field, index in expiring.items():
        if index.expire_after_s:
            period = timedelta(seconds=index.expire_after_s)
            assert any(re.search(rf"\b{words}\b[^;]*\(`{field}`\)", goes) for words in in_words(period)), goes
    if name in PERIODS:
        assert any(re.search(rf"\b{words}\b", goes) for words in in_words(PERIODS[name])), goes


def test_what_knows_people_goes_with_them_or_in_time() -> None:
    """A collection with an index by person has a row among those of people, or of every service."""
    of_nobody = PAGE.read_text().partition("## Of nobody")[2].partition("## Outside")[0]
    by_person = {
        name
        for name, spec in kept().items()
        if any(index.keys[0][0] in {"sub", "owner", "metadata.owner"} for index in spec.indexes)
    }
    assert len(by_person) > 10
    assert [name for name in sorted(by_person) if f"`{name}`" in of_nobody] == []
