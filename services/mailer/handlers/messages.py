"""Messages: queue one, and see what became of it."""

from __future__ import annotations

import secrets
from datetime import datetime

from msgspec import Struct

from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation
from services.chassis.scopes import SERVICE
from services.mailer.domain.messages import Attempt, Message, State
from services.mailer.usecases import UseCases
from services.mailer.usecases.queue_message import Order


class Queued(Struct, frozen=True):
    """The id to ask for it again."""

    id: str


class MessageView(Struct, frozen=True):
    """What became of a message; neither to whom it was nor what it said."""

    id: str
    template: str
    state: State
    attempts: tuple[Attempt, ...]
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> MessageView:
        """The view of a message."""
        return cls(
            message.id, message.template, message.state, message.attempts, message.created_at, message.finished_at
        )


class Messages(Endpoint[UseCases]):
    """All messages."""

    @operation("queueMessage", scope=SERVICE, status=202, key_required=True)
    async def post(self, body: Order, once: Once[Message]) -> Answer[Queued]:
        """Queue a mail. Once this is answered it goes out, whatever happens to us."""
        once.answering(queued)
        return queued(await self.uses.queue_message(secrets.token_hex(16), body, once))


class OneMessage(Endpoint[UseCases]):
    """One message."""

    @operation("readMessage", scope=SERVICE)
    async def get(self, message_id: str) -> MessageView:
        """See what became of a message."""
        return MessageView.of(await self.uses.read_message(message_id))


def queued(message: Message) -> Answer[Queued]:
    """The answer to an order."""
    return Answer(Queued(message.id), location=f"/internal/v1/messages/{message.id}")


INTERNAL_ROUTES = (
    Route("/internal/v1/messages", Messages),
    Route("/internal/v1/messages/{message_id}", OneMessage),
)
