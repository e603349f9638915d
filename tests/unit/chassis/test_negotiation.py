"""Formats and versions, as the headers of RFC 9110 ask for them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import negotiation
from services.chassis.negotiation import JSON, MSGPACK
from services.chassis.problems import Malformed, NotAcceptable


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/msgpack", MSGPACK),
        ("application/json;q=0.5, application/msgpack", MSGPACK),
        ("text/html, application/json;q=0.9, */*;q=0.1", JSON),
        ("application/json;q=0, */*", MSGPACK),
    ],
)
def test_the_best_of_what_we_have(accept: str | None, media: str) -> None:
    assert negotiation.accepted(accept) == media


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*", ";;,"])
def test_nothing_that_we_have(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiation.accepted(accept)


@given(st.text(max_size=60))
def test_whatever_a_client_accepts_it_gets_a_format_or_a_problem(accept: str) -> None:
    with contextlib.suppress(NotAcceptable):
        assert negotiation.accepted(accept) in {JSON, MSGPACK}


@given(st.integers(min_value=0), st.sampled_from([JSON, MSGPACK]), st.booleans())
def test_the_version_in_a_tag_comes_back_whatever_weakened_it(version: int, media: str, weak: bool) -> None:
    tag = negotiation.version_tag(version, media)
    assert negotiation.expected_version(f"W/{tag}" if weak else tag) == version
    assert negotiation.has_current(f'"other", W/{tag}', tag)
    assert not negotiation.has_current('"other"', tag)


@given(st.text(max_size=40))
def test_what_is_no_tag_of_ours_is_refused(tag: str) -> None:
    with contextlib.suppress(Malformed):
        negotiation.expected_version(tag)
