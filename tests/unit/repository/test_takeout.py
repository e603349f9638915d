"""What is published about a takeout is what the code puts in it."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

from click.testing import CliRunner
from jsonschema import Draft202012Validator

from services.accounts.settings import Settings
from services.activities.domain.activity import Activity
from services.activities.domain.gear import Gear
from services.activities.people import TakenActivity, TakenGear
from services.chassis.holdings import schema_of
from services.command.schemas import schemas
from services.command.street import street

ROOT = Path(__file__).parents[3]
HELD = {service.name: service.people.holdings for service in street() if service.people}


def test_the_schemas_are_fresh() -> None:
    answer = CliRunner().invoke(schemas, ["--check", "--folder", str(ROOT / "docs" / "takeout")])
    assert answer.exit_code == 0, answer.output


def test_the_schemas_are_valid() -> None:
    for service, holdings in HELD.items():
        Draft202012Validator.check_schema(schema_of(service, holdings))


def test_no_two_services_put_files_in_the_same_place() -> None:
    """All of them go into one archive."""
    places = [(service, holding.path.partition("/")[0]) for service, held in HELD.items() for holding in held]
    clashes = [(one, other) for one, other in combinations(places, 2) if one[0] != other[0] and one[1] == other[1]]
    assert clashes == []


def test_the_page_on_the_format_names_every_place() -> None:
    page = (ROOT / "docs" / "takeout.md").read_text()
    told = set(re.findall(r"^`([^`]+)` \|", page, re.MULTILINE))
    assert told >= {holding.path for held in HELD.values() for holding in held}


def test_accounts_asks_every_service_that_holds_something() -> None:
    """A service that is forgotten here would keep people for ever."""
    assert set(Settings().owners) == set(HELD)
    rooms = {path.parent.name for path in (ROOT / "services").glob("*/people.py")} - {"chassis"}
    assert rooms == set(HELD), "a service has the room, and does not declare its owner of personal data"


def test_all_of_an_activity_is_taken_out() -> None:
    """A field that an activity gets is in a takeout, or named here."""
    assert {"owner", "version"} == set(Activity.__struct_fields__) - set(TakenActivity.__struct_fields__)
    assert {"owner", "version", "distance_mm", "withdrawn"} == set(Gear.__struct_fields__) - set(
        TakenGear.__struct_fields__
    )
