"""What every place to keep files must do."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest

from services.activities.store.files import Files
from services.chassis.problems import NotFound

DIGEST = "a" * 64


@pytest.fixture
def ann() -> str:
    """Somebody whom no other test knows."""
    return f"ann-{uuid4().hex}"


@pytest.mark.parametrize("size", [0, 1, 255 * 1024, 6 * 1024 * 1024], ids=["none", "one", "a chunk", "large"])
async def test_it_gives_back_the_very_bytes(files: Files, ann: str, size: int) -> None:
    content = os.urandom(size)
    place = files.new_place(ann)
    await files.write(place, ann, DIGEST, content)
    assert await files.read(place) == content


async def test_no_two_places_are_the_same(files: Files, ann: str) -> None:
    assert len({files.new_place(ann) for _ in range(100)}) == 100


async def test_what_was_never_written_is_not_there(files: Files, ann: str) -> None:
    with pytest.raises(NotFound):
        await files.read(files.new_place(ann))


async def test_what_is_removed_is_gone_and_can_be_removed_again(files: Files, ann: str) -> None:
    place, other = files.new_place(ann), files.new_place(ann)
    for one in (place, other):
        await files.write(one, ann, DIGEST, b"a run")
    for _ in range(2):
        await files.remove(place)
    with pytest.raises(NotFound):
        await files.read(place)
    assert await files.read(other) == b"a run"


async def test_all_of_a_runner_is_removed_and_nothing_of_others(files: Files, ann: str) -> None:
    ben = f"{ann}-the-other"  # whose id begins with hers
    hers = [files.new_place(ann) for _ in range(5)]
    his = files.new_place(ben)
    for place in hers:
        await files.write(place, ann, DIGEST, b"hers")
    await files.write(his, ben, DIGEST, b"his")
    for _ in range(2):
        await files.remove_all(ann)
    for place in hers:
        with pytest.raises(NotFound):
            await files.read(place)
    assert await files.read(his) == b"his"
