"""What is kept of replies: as long as it is true, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kept_replies import KEPT_S, LARGEST_BYTES, Asked, KeptReplies
from services.chassis.operations import MIB
from services.chassis.replies import Reply


class Runners:
    """What each runner's things were last changed by."""

    def __init__(self, **stamps: str) -> None:
        self.stamps = stamps

    async def __call__(self, sub: str) -> str | None:
        return self.stamps.get(sub)


def asked(uri: str = "/runs", sub: str = "ann", media_type: str = "application/json") -> Asked:
    return Asked("listRuns", uri, sub, media_type)


def reply(body: bytes = b"[]") -> Reply:
    return Reply(200, {}, body)


async def test_a_reply_is_given_again_until_something_is_changed() -> None:
    runners = Runners(ann="1")
    replies = KeptReplies(runners, most_bytes=MIB)
    place = await replies.look(asked())
    assert place.reply is None
    place.keep(reply())
    assert (await replies.look(asked())).reply == reply()
    runners.stamps["ann"] = "2"
    assert (await replies.look(asked())).reply is None


async def test_what_was_changed_while_a_reply_was_made_is_not_hidden_by_it() -> None:
    runners = Runners(ann="1")
    replies = KeptReplies(runners, most_bytes=MIB)
    place = await replies.look(asked())
    runners.stamps["ann"] = "2"
    place.keep(reply(b"made before, or after"))
    assert (await replies.look(asked())).reply is None


async def test_nothing_is_kept_of_those_whose_changes_are_not_known() -> None:
    replies = KeptReplies(Runners(), most_bytes=MIB)
    (await replies.look(asked())).keep(reply())
    assert (await replies.look(asked())).reply is None
    assert replies.bytes == 0


async def test_another_asks_for_something_else() -> None:
    replies = KeptReplies(Runners(ann="1", bob="1"), most_bytes=MIB)
    (await replies.look(asked())).keep(reply())
    for other in (asked(uri="/runs?limit=2"), asked(sub="bob"), asked(media_type="application/msgpack")):
        assert (await replies.look(other)).reply is None


async def test_a_reply_is_not_kept_for_long() -> None:
    now = 0.0
    replies = KeptReplies(Runners(ann="1"), most_bytes=MIB, clock=lambda: now)
    (await replies.look(asked())).keep(reply())
    now = KEPT_S + 1
    assert (await replies.look(asked())).reply is None


async def test_the_longest_unused_goes_first() -> None:
    replies = KeptReplies(Runners(ann="1"), most_bytes=5000)
    for uri in ("/first", "/second"):
        (await replies.look(asked(uri))).keep(reply(b"x" * 1000))
    assert (await replies.look(asked("/first"))).reply is not None
    (await replies.look(asked("/third"))).keep(reply(b"x" * 1000))
    there = [uri for uri in ("/first", "/second", "/third") if (await replies.look(asked(uri))).reply is not None]
    assert there == ["/first", "/third"]


async def test_a_very_long_reply_is_not_kept() -> None:
    replies = KeptReplies(Runners(ann="1"), most_bytes=MIB)
    (await replies.look(asked())).keep(reply())
    (await replies.look(asked())).keep(reply(b"x" * LARGEST_BYTES))
    assert (await replies.look(asked())).reply is None
    assert replies.bytes == 0


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3000)), max_size=60))
async def test_what_is_kept_stays_within_bounds(made: list[tuple[int, int]]) -> None:
    replies = KeptReplies(Runners(ann="1"), most_bytes=6000)
    for number, size in made:
        (await replies.look(asked(f"/{number}"))).keep(reply(b"x" * size))
        assert 0 <= replies.bytes <= 6000
