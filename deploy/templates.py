"""Templates for formats that are full of `$`, `{}` and `%` themselves: only `@{name}` is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PLACEHOLDER = re.compile(r"@\{(\w+)\}")


def fill(template: Path, values: Mapping[str, object]) -> str:
    """The text of the template with every `@{name}` replaced. Raises KeyError for a name without a value."""
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]), template.read_text("utf-8"))
