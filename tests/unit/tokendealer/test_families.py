"""Refresh tokens: what makes one ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.secrets import Secrets
from services.tokendealer.domain.families import Family, Lifetimes, RefreshToken

HASH = Secrets(bytes(32)).keyed_hash
NOW = datetime(2026, 5, 4, tzinfo=UTC)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
ids = st.text(LETTERS, min_size=16, max_size=64)


def family(id_: str = "f" * 24, generation: int = 1, seed: bytes = b"seed") -> Family:
    return Family(id_, "sub", "client", (), "", generation, seed, NOW, NOW, NOW)


@given(id_=ids, generation=st.integers(1, 10**9), seed=st.binary(max_size=40))
def test_a_token_is_recognised_by_its_family(id_: str, generation: int, seed: bytes) -> None:
    mine = family(id_, generation, seed)
    token = RefreshToken.parse(mine.token(HASH))
    assert token is not None
    assert (token.family, token.generation, mine.issued(token, HASH)) == (id_, generation, True)


@given(now=st.integers(1, 50), then=st.integers(1, 50))
def test_earlier_tokens_are_ours_and_later_ones_can_not_be(now: int, then: int) -> None:
    token = RefreshToken.parse(family(generation=then).token(HASH))
    assert token is not None
    assert family(generation=now).issued(token, HASH) == (then <= now)


@given(position=st.integers(0, 200), letter=st.sampled_from(LETTERS + ". \n\x00é"))
def test_a_changed_letter_anywhere_makes_it_anothers(position: int, letter: str) -> None:
    text = family().token(HASH)
    position %= len(text)
    changed = text[:position] + letter + text[position + 1 :]
    token = RefreshToken.parse(changed)
    if changed == text:
        return
    assert token is None or token.family != "f" * 24 or not family().issued(token, HASH)


def test_another_seed_or_another_key_makes_another_token() -> None:
    token = RefreshToken.parse(family().token(HASH))
    assert token is not None
    assert not family(seed=b"other").issued(token, HASH)
    assert not family().issued(token, Secrets(b"k" * 32).keyed_hash)


@given(used_after_hours=st.integers(0, 24))
def test_a_sign_in_of_who_has_a_day_ends_with_it(used_after_hours: int) -> None:
    lifetimes = Lifetimes(timedelta(minutes=5), timedelta(days=30), timedelta(days=180))
    until = NOW + timedelta(days=1)
    assert lifetimes.family_ends(NOW, NOW + timedelta(hours=used_after_hours), until) == until


@given(st.text(max_size=200))
def test_anything_can_be_parsed(text: str) -> None:
    token = RefreshToken.parse(text)
    assert token is None or text.startswith(token.family)


@given(used_after_days=st.integers(0, 400))
def test_a_sign_in_ends_when_unused_and_in_any_case(used_after_days: int) -> None:
    lifetimes = Lifetimes(timedelta(minutes=5), timedelta(days=30), timedelta(days=180))
    used = NOW + timedelta(days=used_after_days)
    ends = lifetimes.family_ends(NOW, used)
    assert ends <= NOW + timedelta(days=180)
    assert ends <= used + timedelta(days=30)
