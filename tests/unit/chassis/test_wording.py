"""What is wrong with an input is told in words, with what to send instead."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from services.chassis.decoding import decode_json
from services.chassis.problems import Invalid


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Guest(Struct, forbid_unknown_fields=True):
    kind: Literal["runner", "friend"]
    colours: list[Colour] = []


class Party(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    code: Annotated[str, Meta(min_length=3)] | None = None
    weight: Annotated[float, Meta(ge=20, lt=400.5)] = 60
    miles: Annotated[float, Meta(gt=0)] | UnsetType | None = UNSET
    radius: Literal[200, 400] | None = None
    locale: Annotated[str, Meta(pattern="^[a-z]+$", examples=["de", "pt-BR"])] | None = None
    token: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    guests: Annotated[list[Guest], Meta(max_length=2)] = []
    by_day: dict[str, Guest] = {}
    born_on: date | None = None
    starts_at: Annotated[datetime, Meta(tz=True)] | None = None
    loud: bool = False


def told(**given: object) -> tuple[str, str]:
    body = msgspec.json.encode({"name": "Kim", **given})
    with pytest.raises(Invalid) as problem:
        decode_json(body, msgspec.json.Decoder(Party).decode, Party)
    (error,) = problem.value.errors
    assert problem.value.detail == error.message
    return error.field, error.message


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"name": ""}, "name", "This can't be empty"),
        ({"name": "Kimberly"}, "name", "5 or less characters"),
        ({"name": None}, "name", "Send a text, not null"),
        ({"code": "x"}, "code", "3 or more characters"),
        ({"code": 7}, "code", "Send a text or null, not a whole number"),
        ({"weight": 1}, "weight", "20 or more"),
        ({"weight": 500}, "weight", "Less than 400.5"),
        ({"weight": "heavy"}, "weight", "Send a number, not a text"),
        ({"miles": 0}, "miles", "More than 0"),
        ({"radius": 300}, "radius", "Send one of 200, 400"),
        ({"locale": "?"}, "locale", "Send something like de or pt-BR"),
        ({"token": "?"}, "token", "Expected `str` matching regex '^[a-z]+$'"),
        ({"guests": [{"kind": "foe"}]}, "guests.0.kind", "Send one of friend, runner"),
        ({"guests": [{"kind": "friend", "colours": ["red", "tan"]}]}, "guests.0.colours.1", "Send one of red, blue"),
        ({"guests": [{}]}, "guests.0.kind", "This is missing"),
        ({"guests": [{"kind": "friend"}] * 3}, "guests", "2 or less items"),
        ({"by_day": {"mon": {"kind": "foe"}}}, "by_day.kind", "Send one of friend, runner"),
        ({"born_on": "yesterday"}, "born_on", "Send a date like 2026-03-31"),
        ({"born_on": 7}, "born_on", "Send a date like 2026-03-31 or null, not a whole number"),
        ({"starts_at": "soon"}, "starts_at", "Send a time like 2026-03-31T21:30:00Z"),
        (
            {"starts_at": "2026-03-31T21:30:00"},
            "starts_at",
            "Send a time like 2026-03-31T21:30:00Z, with Z or an offset",
        ),
        ({"loud": "yes"}, "loud", "Send true or false, not a text"),
        ({"cake": 1}, "cake", "There is no such field here"),
    ],
)
def test_the_sentence_says_what_to_send(given: dict[str, object], field: str, message: str) -> None:
    assert told(**given) == (field, message)


def test_what_is_no_object_at_all() -> None:
    with pytest.raises(Invalid) as problem:
        decode_json(b"[]", msgspec.json.Decoder(Party).decode, Party)
    assert problem.value.errors[0].message == "Send an object, not a list"
