"""What the mailer hears: the job `mailer.send`, whose data is an `Order`. The job's id becomes the message's id."""

from __future__ import annotations

import msgspec

from services.chassis.bus.event import Job
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.bus.transport import Poison
from services.chassis.mongo import Session
from services.chassis.problems import Invalid
from services.mailer.usecases.queue_message import Order, QueueMessage

QUEUE = "mailer.send"


async def listen(bus: ServiceBus, queue_message: QueueMessage) -> None:
    """Take mails from the bus from now on."""

    async def order(session: Session, job: Job) -> None:
        try:
            await queue_message.within(session, job.id, msgspec.convert(job.data, Order))
        except (msgspec.ValidationError, Invalid) as wrong:
            raise Poison(f"This mail can't be sent: {wrong}") from wrong

    await bus.work_in_transaction(QUEUE, order, concurrency=4)
