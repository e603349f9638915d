"""What msgspec finds wrong with an input, in words for whoever sent it: what to send instead.

What it has no words for stays as msgspec says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import inspect

NOUNS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "date": "a date like 2026-03-31",
    "datetime": "a time like 2026-03-31T21:30:00Z",
}
LIMITS = {">=": "{} or more", "<=": "{} or less", ">": "More than {}", "<": "Less than {}"}
UNITS = {"str": "characters", "array": "items"}


def in_words(message: str, type_: Any, path: Sequence[str]) -> str:
    """The sentence for a message of msgspec's about what is at a path (`("guests", "0", "name")`) of this type."""
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(message):
            return words(found, type_, path) or message
    return message


def _another_type(found: re.Match[str], *_: object) -> str:
    wanted = " or ".join(NOUNS.get(name, name) for name in found["wanted"].split(" | "))
    return f"Send {wanted}, not {NOUNS.get(found['got'], found['got'])}"


def _length(found: re.Match[str], *_: object) -> str:
    if found["sign"] == ">=" and found["limit"] == "1":
        return "This can't be empty"
    return f"{_limit(found['sign'], found['limit'])} {UNITS.get(found['type'], '')}".strip()


def _amount(found: re.Match[str], *_: object) -> str:
    return _limit(found["sign"], found["limit"].removesuffix(".0"))


def _limit(sign: str, limit: str) -> str:
    return LIMITS[sign].format(limit)


def _choice(_: object, type_: Any, path: Sequence[str]) -> str:
    at = _bare(_at(type_, path))
    choices: Sequence[object] = ()
    if isinstance(at, inspect.LiteralType):
        choices = at.values
    elif isinstance(at, inspect.EnumType):
        choices = [one.value for one in at.cls]
    return f"Send one of {', '.join(map(str, choices))}" if choices else ""


def _form(_: object, type_: Any, path: Sequence[str]) -> str:
    at = _at(type_, path)
    about = at.extra_json_schema if isinstance(at, inspect.Metadata) else None
    examples = (about or {}).get("examples", ())
    return f"Send something like {' or '.join(map(str, examples))}" if examples else ""


_Words = Callable[[re.Match[str], Any, Sequence[str]], str]
_WORDS: tuple[tuple[re.Pattern[str], _Words], ...] = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`", _another_type),
        (r"Expected `(?P<type>\w+)` of length (?P<sign>[<>]=?) (?P<limit>\d+)", _length),
        (r"Expected `\w+` (?P<sign>[<>]=?) (?P<limit>\S+)", _amount),
        (r"Expected `str` matching regex .*", _form),
        (r"Invalid enum value .*", _choice),
        (r"Object missing required field `[^`]*`", lambda *_: "This is missing"),
        (r"Object contains unknown field `[^`]*`", lambda *_: "There is no such field here"),
        (r"Invalid RFC3339 encoded date", lambda *_: f"Send {NOUNS['date']}"),
        (r"Invalid RFC3339 encoded datetime", lambda *_: f"Send {NOUNS['datetime']}"),
        (r"Expected `datetime` with a timezone component", lambda *_: f"Send {NOUNS['datetime']}, with Z or an offset"),
    )
)


def _at(type_: Any, path: Sequence[str]) -> inspect.Type | None:
    """What msgspec knows of the type at a path; None where it leads nowhere, or to one of several."""
    at: inspect.Type | None = inspect.type_info(type_)
    for name in path:
        at = _step(_bare(at), name)
    return _given(at)


def _step(at: inspect.Type | None, name: str) -> inspect.Type | None:
    match at:
        case inspect.StructType(fields=fields):
            return next((field.type for field in fields if field.encode_name == name), None)
        case inspect.ListType(item_type=item) | inspect.SetType(item_type=item) | inspect.FrozenSetType(item_type=item):
            return item
        case inspect.DictType(value_type=value):
            return _step(_bare(value), name)  # msgspec's paths name no keys
    return None


def _given(at: inspect.Type | None) -> inspect.Type | None:
    """The type where something is given: without that it may be null."""
    if not isinstance(at, inspect.UnionType):
        return at
    some = [one for one in at.types if not isinstance(one, inspect.NoneType)]
    return some[0] if len(some) == 1 else None


def _bare(at: inspect.Type | None) -> inspect.Type | None:
    """The type without what is said about it."""
    at = _given(at)
    return _bare(at.type) if isinstance(at, inspect.Metadata) else at
