"""Send one message that is due: render it, hand it to the mail server, and write down what came of it.

A message is sent at least once, and nearly always once: a process that is killed between the server's 250 and our
note sends it again, under the same `Message-ID`. SMTP has no way to do better (RFC 5321, 4.5.4.2 and 6.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Protocol

from services.chassis.addresses import Address, parse_address
from services.mailer.composing import Sender, compose
from services.mailer.domain.messages import (
    Attempt,
    Message,
    Outcome,
    Reply,
    State,
    after_attempt,
    finished,
    judge,
    public_detail,
)
from services.mailer.domain.templates import check_data
from services.mailer.rendering import Renderer
from services.mailer.store import Claim, Store


class Carrier(Protocol):
    """Whoever carries mail."""

    async def carry(self, message: EmailMessage, *, sender: str, recipient: str) -> Reply:
        """Hand over one message for one recipient, and return what was made of it. It does not raise."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Sends a claimed message. `hash_address` makes the keyed hash that a suppressed address is known by."""

    store: Store
    renderer: Renderer
    carrier: Carrier
    sender: Sender
    hash_address: Callable[[str], str]
    clock: Callable[[], datetime]
    give_up_after: timedelta
    suppressed_for: timedelta

    async def __call__(self, claim: Claim) -> Message | None:
        """The message as it is now; None where another sender had taken it over meanwhile."""
        message, now = claim.message, self.clock()
        to = parse_address(message.to or "", "to")
        address_hash = self.hash_address(to.key)
        if await self.store.is_suppressed(address_hash, now):
            return await self._settled(claim, finished(message, State.SUPPRESSED, now))
        if now > message.created_at + 2 * self.give_up_after:  # it broke each time, or we were away for days
            return await self._settled(claim, finished(message, State.FAILED, now))
        reply = await self.carrier.carry(
            self._composed(message, to), sender=self.sender.address.mailbox, recipient=to.mailbox
        )
        attempt = Attempt(now, judge(reply), reply.code, public_detail(reply.detail))
        if attempt.outcome is Outcome.REFUSED_ADDRESS:
            await self.store.suppress(address_hash, now + self.suppressed_for)
        return await self._settled(claim, after_attempt(message, attempt, give_up_after=self.give_up_after))

    def _composed(self, message: Message, to: Address) -> EmailMessage:
        data = check_data(message.template, message.data or {})
        rendered = self.renderer.render(message.template, data, message.locale)
        return compose(
            rendered,
            message_id=message.id,
            sender=self.sender,
            to=to,
            written_at=message.created_at,
            trace_id=message.trace_id,
        )

    async def _settled(self, claim: Claim, message: Message) -> Message | None:
        return message if await self.store.settle(claim, message) else None
