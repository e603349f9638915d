"""The words of the pages, and the language they are said in."""

from __future__ import annotations

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.scopes import FOR_APPS
from services.tokendealer.pages import LOCALES, nearest, read_words


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_says_the_same(locale: str) -> None:
    words, english = read_words(locale), read_words("en")
    assert words.keys() == english.keys()
    assert {name: fields(text) for name, text in words.items()} == {name: fields(t) for name, t in english.items()}


def test_there_are_words_for_every_scope_that_an_app_can_have() -> None:
    assert {f"scope-{scope}" for scope in FOR_APPS} <= read_words("en").keys()


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de", "de"), ("fr-CA, de;q=0.9", "fr"), ("it, de;q=0.3, fr;q=0.8", "fr"), ("fr;q=0, de;q=0.1", "de")],
)
def test_the_reader_s_first_language_that_we_have_is_spoken(header: str, language: str) -> None:
    assert nearest(header) == language


@given(st.text(max_size=50))
def test_any_header_can_be_read(header: str) -> None:
    assert nearest(header) in LOCALES
