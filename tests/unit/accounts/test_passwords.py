"""Which passwords are taken: any long one but those that are guessed first (NIST SP 800-63B-4)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.blocked_passwords import read_blocked_passwords
from services.accounts.domain.passwords import GuessablePassword, PasswordRules, normalise
from services.chassis.problems import Invalid

RULES = PasswordRules(15, read_blocked_passwords())
KIM = ("Kim Läufer", "kim.laeufer@club.example")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "fifteen letters",
        "pässwörter sind länger",
        "839201748201938",  # no rule of composition: digits will do
        "run, rest, run, eat",
        "🏃🌧🏔🌲🐕🚰🍌🎽👟🥇🏅🛌📈🧊🩹",
        "kim's own long phrase",
        "x" * 64,
        "correct horse battery " * 5,
        "Tr0ub4dor&3-Tr0ub4dor&4",
        "d" * 128,
    ],
)
def test_any_long_password_is_taken(password: str) -> None:
    assert RULES.check(password, KIM) == normalise(password)


@pytest.mark.parametrize("password", ["", "fourteen chars", "🏃🌧🏔🌲🐕🚰🍌🎽👟🥇🏅🛌📈🧊", "x" * 129])
def test_one_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        RULES.check(password, KIM, "new")

    assert (refused.value.kind, refused.value.errors[0].field) == ("invalid", "new")


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "PasswordPassword",
        "password password",
        "Password1234567",
        "!!!password2026",
        "letmeinletmein12",
        "iloveyouiloveyou",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃🏃",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnop",
        "qwertyuiopasdfgh",
        "qwertzuiopasdfgh",
        "azertyuiopqsdfgh",
        "1qaz2wsx3edc4rfv",
        "1q2w3e4r5t6y7u8i",
        "runnerlyrunnerly",
        "Runnerly2026!!!",
        "Runnerly-Runnerly",
        "kim.laeufer@club.example",
        "Kim Läufer 1987",
        "laeufer-kim-laeufer",
        "ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ",  # noqa: RUF001 - that is the point
    ],
)
def test_one_that_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(GuessablePassword) as refused:
        RULES.check(password, KIM, "new")

    assert refused.value.errors[0].field == "new"


def test_what_one_person_would_be_guessed_by_is_free_to_others() -> None:
    assert RULES.check("kim.laeufer@club.example", ("Lou", "lou@runnerly.test"))


def test_the_list_is_one_of_breaches() -> None:
    blocked = read_blocked_passwords()

    assert len(blocked) == 30_000
    assert {"123456", "password", "qwerty", "1qaz2wsx3edc4rfv"} <= blocked
    assert all(each == each.lower() for each in blocked)


def test_two_ways_to_type_one_password_are_one_password() -> None:
    assert normalise("pa\u0308sswo\u0308rd") == normalise("p\u00e4ssw\u00f6rd")


@given(st.text(max_size=150), st.text(max_size=20))
def test_any_text_is_taken_or_refused_and_taken_as_it_is_compared(password: str, name: str) -> None:
    with contextlib.suppress(Invalid):
        assert RULES.check(password, (name,)) == normalise(normalise(password))
