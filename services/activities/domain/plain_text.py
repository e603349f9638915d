"""Texts that people and files give, as they can be kept, shown and written into XML."""

from __future__ import annotations

import unicodedata

from services.chassis.problems import Invalid

_NEVER_PLAIN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")


def plain(text: str, longest: int, *, lines: bool) -> str:
    """A text without control characters, blank ends or more than is kept; in one line unless lines are meant.

    What joins emoji stays; what turns the direction of the rest of a line does not.
    """
    text = _without_marks(text) if lines else "".join(filter(_is_plain, " ".join(text.split())))
    return text.strip()[:longest].rstrip()


def one_line_in(field: str, text: str) -> str:
    """The one line of text that somebody gave in a field of a request. Raises `Invalid` where nothing is to be seen."""
    line = plain(text, len(text), lines=False)
    if not line:
        raise Invalid.field(field, f"A {field} has at least one character that is not blank")
    return line


def lines_of(text: str | None) -> str | None:
    """The lines of text that somebody gave, blanks as they are; None where there are none."""
    return (_without_marks(text) or None) if text else None


def _without_marks(text: str) -> str:
    return "".join(c for c in text if c in "\n\t" or _is_plain(c))


def _is_plain(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cs"} and character not in _NEVER_PLAIN
