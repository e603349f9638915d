"""What a service declares to hold of people: paths that mean what they say, and a schema that any validator takes."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct

from services.chassis.holdings import Holding, schema_of


class Shoe(Struct):
    """A shoe."""

    name: str
    worn: int | None = None


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("shoes/1.json", True),
        ("shoes/a-b_c.json", True),
        ("shoes/.json", False),
        ("shoes/1/2.json", False),
        ("shoes/1.jsonx", False),
        ("shoes/1xjson", False),
        ("my/shoes/1.json", False),
    ],
)
def test_a_star_is_a_name_and_never_a_folder(path: str, is_one: bool) -> None:
    shoes = Holding("shoes/*.json", "A shoe", Shoe)
    assert bool(re.search(shoes.pattern, path)) is is_one


def test_an_archive_is_an_object_whose_names_are_its_paths() -> None:
    holdings = (Holding("shoes/*.json", "A shoe", Shoe), Holding("files/*", "A file"))
    schema = schema_of("cupboard", holdings)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"shoes/1.json": {"name": "Swift", "worn": None}, "files/x.fit": "whatever"})
    assert not validator.is_valid({"shoes/1.json": {"worn": 1}})
    assert schema["$defs"]["Shoe"]["description"] == "A shoe."
