"""What the sandbox is told by the environment, beside its ports."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Settings(Struct, frozen=True):
    """How much the sandbox remembers."""

    sandbox_mails_kept: Annotated[
        int, Meta(ge=100, le=1_000_000, description="How many mails the sandbox keeps; the oldest go first")
    ] = 20_000
