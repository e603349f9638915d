"""What the mailer is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from services.mailer.usecases.queue_message import QueueMessage
from services.mailer.usecases.read_message import ReadMessage


@dataclass(frozen=True, slots=True)
class UseCases:
    """What handlers and the bus can ask for."""

    queue_message: QueueMessage
    read_message: ReadMessage
