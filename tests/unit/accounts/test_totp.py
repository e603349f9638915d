"""Codes of authenticator apps, by the RFC and by a library that is not ours."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.accounts.domain.second_factor import (
    LETTERS,
    SECRET_BYTES,
    as_compared,
    is_app_code,
    new_recovery_codes,
    new_secret,
)
from services.accounts.totp import matching_step, otpauth_uri, qr_code, secret_text

RFC_SECRET = b"12345678901234567890"
MOMENTS = st.integers(1_600_000_000, 7_000_000_000).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
STEP = timedelta(seconds=30)


def app(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode())


# RFC 6238, appendix B; the last six of its eight digits.
@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_codes_of_the_rfc_match(at_s: int, code: str) -> None:
    assert matching_step(RFC_SECRET, code, datetime.fromtimestamp(at_s, UTC)) == at_s // 30


@given(SECRETS, MOMENTS, st.sampled_from([-1, 0, 1]))
def test_the_codes_of_one_step_before_and_after_match(secret: bytes, now: datetime, drift: int) -> None:
    code = app(secret).at(now + drift * STEP)
    step = int(now.timestamp()) // 30 + drift

    matched = matching_step(secret, code, now)

    assert matched is not None
    assert matched >= step  # two steps may have one code: then the later one is used up
    assert app(secret).at(matched * 30) == code


@given(SECRETS, MOMENTS, st.sampled_from([-3, -2, 2, 3]))
def test_older_and_later_codes_do_not(secret: bytes, now: datetime, drift: int) -> None:
    code = app(secret).at(now + drift * STEP)
    assume(code not in {app(secret).at(now + near * STEP) for near in (-1, 0, 1)})

    assert matching_step(secret, code, now) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "28708\uff12", "ABCDEF"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None
    assert not is_app_code(code) or code.isascii()


@given(SECRETS)
def test_an_app_reads_from_the_link_what_the_text_says(secret: bytes) -> None:
    read = pyotp.parse_uri(otpauth_uri(secret, "kim+run@runnerly.test"))

    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.issuer, read.name) == (secret_text(secret), "Runnerly", "kim+run@runnerly.test")
    assert (read.digits, read.interval) == (6, 30)


def test_the_picture_is_an_svg_that_loads_nothing() -> None:
    picture = qr_code(otpauth_uri(new_secret(), "kim@runnerly.test"))

    assert picture.startswith("data:image/svg+xml;charset=utf-8,%3Csvg")
    assert "href" not in picture


def test_a_recovery_code_has_more_than_112_bits_and_no_letter_that_looks_like_another() -> None:
    codes = [code for _ in range(20) for code in new_recovery_codes()]

    assert len(set(codes)) == 200
    assert len(LETTERS) ** 24 > 2**112
    assert not set("0o1li") & set(LETTERS)
    for code in codes:
        assert re.fullmatch(rf"([{LETTERS}]{{6}}-){{3}}[{LETTERS}]{{6}}", code)


@pytest.mark.parametrize("typed", ["abc-def", "ABC DEF", " abcdef\n", "a-b c-D-EF"])
def test_a_recovery_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert as_compared(typed) == "abcdef"
