"""Parts of a file, as RFC 9110 (14.1.2) has them."""

from __future__ import annotations

import pytest

from services.chassis.problems import RangeNotSatisfiable
from services.chassis.ranges import part_asked_for


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        (None, 0, 10),
        ("bytes=0-", 0, 10),
        ("bytes=0-0", 0, 1),
        ("bytes=9-", 9, 10),
        ("bytes=2-5", 2, 6),
        ("bytes= 2-5", 2, 6),
        ("bytes=2-500", 2, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-300", 0, 10),
        ("bytes=5-2", 0, 10),
        ("bytes=-", 0, 10),
        ("bytes=0-1,3-4", 0, 10),
        ("bytes=a-b", 0, 10),
        ("seconds=1-2", 0, 10),
        (f"bytes=0-{'9' * 30}", 0, 10),
    ],
)
def test_a_range_is_a_part_or_else_all(header: str | None, start: int, end: int) -> None:
    part = part_asked_for(header, 10)
    assert (part.start, part.end) == (start, end)
    assert part.is_whole is (end - start == 10)


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=-1", 0)]
)
def test_what_is_not_there_is_not_given(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        part_asked_for(header, size)
    assert refused.value.headers == {"Content-Range": f"bytes */{size}"}
