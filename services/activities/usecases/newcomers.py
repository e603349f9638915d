"""Who may still add something: not a person whose account was deleted, however long their token lives."""

from __future__ import annotations

from services.chassis.problems import Forbidden
from services.chassis.tombstones import Tombstones


async def refuse_deleted(tombstones: Tombstones, owner: str) -> None:
    """Raise `Forbidden` where this person was deleted."""
    if await tombstones.holds(owner):
        raise Forbidden("This account is being deleted")
