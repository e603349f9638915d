"""Which passwords are taken: NIST SP 800-63B-4, 3.1.1.2. Long ones, of any characters, and none that is guessed first.

It asks for 15 characters, a code point each, of a password that is the only factor, for 8 beside a second one, and that
64 be taken: how many is a setting. It asks for no rule of composition; and for a list of what attackers try first, against
which the whole password is held: passwords of breaches, and words of its context - the service, the person's own name and
address. A long one is hardly a password of the list itself, but one repeated, with digits around it, or a walk over the
keyboard; so those are held against it too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable

from msgspec import Struct

from services.chassis.problems import FieldError, Invalid

LONGEST = 128
LONGEST_GUESSED = 40  # no list has anything so long
SERVICE_NAME = "runnerly"
SHORTEST_UNIT = 4  # what is repeated to fill the length
SHORTEST_RUN = 3
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
)
WALKS = tuple(way for row in ROWS for way in (row, row[::-1]))
WORD = re.compile(r"[^\W\d_]+")


class GuessablePassword(Invalid):
    """Long enough, and yet among what is tried first."""

    kind = "guessable-password"
    title = "This password is one of those that are guessed first: choose something that only you would think of"


class PasswordRules(Struct, frozen=True):
    """The rules: how many characters it takes, and the list of `blocked` passwords, in lower case."""

    shortest: int
    blocked: Container[str]

    def check(self, password: str, about: Iterable[str] = (), field: str = "password") -> str:
        """The password as it is hashed. `about` is what is known of its owner: name, address.

        Raises `Invalid` for one that is too short or too long, `GuessablePassword`; both name `field`.
        """
        normalised = normalise(password)
        if not self.shortest <= len(normalised) <= LONGEST:
            raise Invalid.field(field, f"A password has {self.shortest} to {LONGEST} characters")
        if len(normalised) <= LONGEST_GUESSED and self._is_guessable(normalised.casefold(), _context(about)):
            raise GuessablePassword(errors=(FieldError(field, GuessablePassword.title),))
        return normalised

    def _is_guessable(self, password: str, context: frozenset[str]) -> bool:
        words, unit = _words(password), _unit(password)
        if len(unit) < SHORTEST_UNIT or _is_walk(password) or (words and words <= context):
            return True
        bare = _bare(password)
        forms = {password, unit, bare, _unit(bare), *(words if len(words) == 1 else ())}
        return any(form in context or form in self.blocked for form in forms)


def normalise(password: str) -> str:
    """The form in which passwords are compared: NFKC, so that keyboards that compose letters otherwise agree."""
    return unicodedata.normalize("NFKC", password)


def _context(about: Iterable[str]) -> frozenset[str]:
    told = [normalise(each).casefold() for each in about]
    return frozenset({SERVICE_NAME, *told, *(word for each in told for word in _words(each))})


def _words(text: str) -> set[str]:
    return set(WORD.findall(text))


def _bare(password: str) -> str:
    """Without the digits and signs around its letters; all of it where there are no letters."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password) or password


def _unit(password: str) -> str:
    """What a password repeats, the last time perhaps in part: of `passpasspa` it is `pass`."""
    for length in range(1, len(password) // 2 + 1):
        if password == (password[:length] * (len(password) // length + 1))[: len(password)]:
            return password[:length]
    return password


def _is_walk(password: str) -> bool:
    """Whether it is nothing but runs along the alphabet, the digits, or a keyboard."""
    start = 0
    while start < len(password):
        length = max(_run(password[start:], row) for row in WALKS)
        if length < SHORTEST_RUN:
            return False
        start += length
    return True


def _run(text: str, row: str) -> int:
    """How far this text goes along a row."""
    length = 0
    while length < len(text) and text[: length + 1] in row:
        length += 1
    return length
