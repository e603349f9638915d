"""See what became of a message."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.problems import NotFound
from services.mailer.domain.messages import Message
from services.mailer.store import Store


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """Finds a message by its id."""

    store: Store

    async def __call__(self, message_id: str) -> Message:
        """The message. Raises `NotFound`."""
        message = await self.store.read(message_id)
        if message is None:
            raise NotFound("There is no such message")
        return message
