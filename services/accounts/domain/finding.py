"""How an account is found: by what the words of a name, an e-mail address or an id begin with, without case or accents.

An index knows the first letters only, `MOST_LETTERS` of them: it narrows a search down to what is then looked at whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from services.accounts.domain.accounts import Account

MOST_LETTERS = 8
# An id is random: fewer letters of one find nothing but noise, in the way of names.
LETTERS_OF_ID = 4
INNER_WORD = re.compile(r"(?<=[^\w])\w")
# What looks like a letter with an accent to people, and is none to Unicode.
LIKE = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"})


class Listed(Struct, frozen=True):
    """An account in a list, and when its owner was here last; None where nobody knows."""

    account: Account
    number: int
    last_seen_at: datetime | None


def folded(text: str) -> str:
    """The text without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold().translate(LIKE)


def words_of(text: str) -> list[str]:
    """What is searched for: all of these, each the beginning of something."""
    return folded(text).split()


def terms_of(account: Account) -> list[str]:
    """What the index knows an account by."""
    terms = {word[:length] for word in _words(account) for length in range(1, MOST_LETTERS + 1)}
    terms |= {folded(account.id)[:length] for length in range(LETTERS_OF_ID, MOST_LETTERS + 1)}
    return sorted(terms)


def terms_for(words: list[str]) -> list[str]:
    """What the index can be asked for, the longest first."""
    return sorted({word[:MOST_LETTERS] for word in words}, key=lambda term: (-len(term), term))


def matches(account: Account, words: list[str]) -> bool:
    """Whether each of the words is the beginning of something in it."""
    known = [*_words(account), folded(account.id)]
    return all(any(one.startswith(word) for one in known) for word in words)


def _words(account: Account) -> Iterator[str]:
    """The words of the name, also from within ones like Anna-Lena; the address, and its domain."""
    for word in folded(account.profile.name).split():
        yield word
        yield from (word[inner.start() :] for inner in INNER_WORD.finditer(word))
    email = folded(account.email)
    yield email
    yield email.rpartition("@")[2]
