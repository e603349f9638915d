"""A cursor is ours, for one list, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.paging import Cursors
from services.chassis.problems import Invalid

CURSORS = Cursors(b"a key")


@given(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1)), st.text())
def test_a_position_comes_back(position: tuple[str, int], scope: str) -> None:
    assert CURSORS.open(CURSORS.seal(position, scope), tuple[str, int], scope) == position


@given(st.text(max_size=80))
def test_what_is_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        CURSORS.open(cursor, int, "list")


@given(st.integers(0, 50), st.integers(0, 255))
def test_what_was_changed_is_refused(at: int, to: int) -> None:
    cursor = CURSORS.seal(("2026-05-01", "a1"), "list")
    changed = cursor[: at % len(cursor)] + chr(to) + cursor[at % len(cursor) + 1 :]
    if changed != cursor:
        with pytest.raises(Invalid):
            CURSORS.open(changed, tuple[str, str], "list")


def test_another_list_or_key_is_refused() -> None:
    cursor = CURSORS.seal(1, "list of ann")
    for cursors, scope in ((CURSORS, "list of bob"), (Cursors(b"another key"), "list of ann")):
        with pytest.raises(Invalid):
            cursors.open(cursor, int, scope)
