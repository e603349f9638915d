"""The mailer's side of the people protocol: which mails a person was sent lately."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import msgspec

from services.chassis.holdings import Holding
from services.chassis.people import Belonging, Erased
from services.mailer.handlers.messages import MessageView
from services.mailer.store import Store


class MailOfPeople:
    """What the mailer holds of a person: records of deliveries, and mails that wait."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("mails/*.json", "A mail that was sent lately: which one, and what became of it", MessageView),
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """The record of every mail, without the secrets that it carried."""
        async for message in self._store.of_person(sub):
            yield Belonging(f"mails/{message.id}.json", msgspec.json.encode(MessageView.of(message)))

    async def erase(self, sub: str) -> Erased:
        """Forget them."""
        await self._store.erase(sub)
        return Erased()
