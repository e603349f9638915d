"""How a profile is kept, in an account and in what somebody claimed for one."""

from __future__ import annotations

from typing import Any

import msgspec

from services.accounts.domain.accounts import Profile
from services.chassis.mongo import Document


def profile_document(profile: Profile) -> Document:
    """A day is kept as its date in text: BSON has moments only."""
    fields: dict[str, Any] = msgspec.structs.asdict(profile)
    return {**fields, "born_on": profile.born_on.isoformat() if profile.born_on else None}


def profile_of(document: Document) -> Profile:
    """The profile that is kept so."""
    return msgspec.convert(document, Profile)
