"""What is published about a takeout is what the code puts in it."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

from click.testing import CliRunner
from jsonschema import Draft202012Validator

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
