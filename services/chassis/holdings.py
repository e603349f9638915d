"""What a service holds of people, declared: every kind of file in its part of a takeout, with its JSON Schema.

The schema regards an archive as an object: the paths are its names, the files' JSON its values. So an ordinary validator
checks a whole takeout, and whoever reads one knows each path before opening any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import Struct

FORMAT, VERSION = "runnerly-takeout", 1
MANIFEST = "manifest.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Holding(Struct, frozen=True):
    """One kind of thing: where it is in the archive, what it means, and the type of its JSON (None: a file as it came).

    A `*` in `path` stands for part of one name, never for a folder.
    """

    path: str
    means: str
    type: type[Struct] | None = None

    @property
    def pattern(self) -> str:
        """The path as a regular expression (ECMA 262, as JSON Schema has them)."""
        return "^" + "[^/]+".join(re.escape(part).replace(r"\-", "-") for part in self.path.split("*")) + "$"


def schema_of(service: str, holdings: Sequence[Holding]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a service's part of a takeout."""
    typed = [holding for holding in holdings if holding.type is not None]
    references, definitions = msgspec.json.schema_components(
        [holding.type for holding in typed], ref_template="#/$defs/{name}"
    )
    kinds = {holding.pattern: {"description": holding.means, "$comment": "A file as it came"} for holding in holdings}
    kinds |= {
        holding.pattern: {"description": holding.means, **reference}
        for holding, reference in zip(typed, references, strict=True)
    }
    return {
        "$schema": DIALECT,
        "$id": f"urn:runnerly:takeout:{VERSION}:{service}",
        "title": f"What {service} holds of a person",
        "type": "object",
        "patternProperties": kinds,
        "$defs": {name: _tidied(definition) for name, definition in definitions.items()},
    }


def _tidied(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition, its description without the indentation of a docstring."""
    if "description" not in definition:
        return definition
    return {**definition, "description": cleandoc(definition["description"])}


def schema_path(service: str) -> str:
    """Where a service's schema is in an archive."""
    return f"schemas/{service}.schema.json"


def schema_file(service: str, holdings: Sequence[Holding]) -> bytes:
    """The schema as a file, for people to read too."""
    return msgspec.json.format(msgspec.json.encode(schema_of(service, holdings)), indent=2) + b"\n"
