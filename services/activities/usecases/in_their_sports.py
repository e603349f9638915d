"""Reading what comes as of the sports that it is to be: as somebody said, or as what is here, which it becomes one with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.activities.domain.activity import read_anew
from services.activities.domain.merging import Words
from services.activities.parsers.parsed import ParsedActivity
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity


@dataclass(frozen=True, slots=True)
class InTheirSports:
    """In another sport the same samples mean other numbers: they are read once more where need be."""

    parsers: ParserPool
    store: ActivityStore

    async def __call__(
        self, owner: str, content: bytes, new: Sequence[NewActivity], words: Words
    ) -> Sequence[NewActivity]:
        """The activities in this content, which was read before, with the numbers that they are to have.

        Raises `DuplicateActivity` where all of them are here already, and nothing of them is different.
        """
        meetings = await self.store.meetings(owner, new, words)
        meant = {id_: one.merged.activity.sport for id_, one in meetings.items() if one.merged.takes_data}
        sports = {one.activity.session: meant.get(one.activity.id, one.activity.sport) for one in new}
        if all(one.parsed and one.parsed.summary.sport == sports[one.activity.session] for one in new):
            return new
        again = (await self.parsers.parse_in_background(content, sports)).activities
        return [_with(one, again[one.activity.session]) for one in new]


def _with(new: NewActivity, parsed: ParsedActivity) -> NewActivity:
    return NewActivity(read_anew(new.activity, parsed.summary), parsed, new.takes_default_gear)
