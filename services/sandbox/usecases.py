"""What the sandbox can be asked: its parties, their faults, and the pages to look at them."""

from __future__ import annotations

from dataclasses import dataclass

from services.sandbox.faults import Faults
from services.sandbox.mailbox.reading import Mailbox
from services.sandbox.pages import Pages


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that handlers use."""

    mailbox: Mailbox
    faults: Faults
    pages: Pages
