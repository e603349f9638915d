"""Take a mail to be sent: check that it can be, and keep it. After that it goes out, whatever happens to us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from services.chassis import context
from services.chassis.addresses import parse_address
from services.chassis.idempotency import Once
from services.chassis.mongo import Session
from services.mailer.domain.messages import Message
from services.mailer.domain.templates import check_data
from services.mailer.store import Store


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """A mail as it is ordered: which one, to whom, in which language, and what to fill in.

    `sub` is the person it is to, where there is an account, so that it is found when the person wants to be forgotten.
    """

    template: Annotated[str, Meta(max_length=60)]
    to: Annotated[str, Meta(max_length=254)]
    locale: Annotated[str, Meta(max_length=35)]  # RFC 5646, 4.4.1
    data: dict[str, Any] = {}
    sub: Annotated[str, Meta(max_length=64)] | None = None


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """Queues a mail, for a request or for a job on the bus."""

    store: Store
    clock: Callable[[], datetime]

    async def __call__(self, message_id: str, order: Order, once: Once[Message]) -> Message:
        """The queued message. Raises `Invalid` for an order that can't be carried out."""
        message = self._ordered(message_id, order)
        await self.store.add(message, once)
        return message

    async def within(self, session: Session, message_id: str, order: Order) -> None:
        """Queue it in the transaction that marks its job as done. Raises `Invalid`."""
        await self.store.add_in(session, self._ordered(message_id, order))

    def _ordered(self, message_id: str, order: Order) -> Message:
        to = parse_address(order.to, "to").text
        check_data(order.template, order.data)
        now, running = self.clock(), context.current()
        return Message(
            id=message_id,
            template=order.template,
            to=to,
            locale=order.locale,
            data=order.data,
            created_at=now,
            due_at=now,
            sub=order.sub,
            trace_id=running.trace_id if running else None,
        )
