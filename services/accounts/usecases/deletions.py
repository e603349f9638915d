"""Ask for one's own deletion, and see how far it is.

From the answer on the account is not there: no sign-in, no tokens, and the address is free. The rest follows, service by
service (`erase_person`).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.accounts.clients.owners import Owners
from services.accounts.domain.deletions import Deletion, Person, bound_to
from services.accounts.store.deletions import Deletions
from services.accounts.usecases.confirm_password import ConfirmPassword
from services.chassis.http_answers import PeerRefused, PeerUnavailable
from services.chassis.logs import Logger
from services.chassis.problems import NotFound
from services.chassis.secrets import Secrets

ID_BYTES = 15
SIGNS_PEOPLE_IN = "tokendealer"
SIGN_OUT_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Seal:
    """What keeps it from whoever reads the database, or a backup of it, who is being deleted."""

    secrets: Secrets

    def begun(self, person: Person, now: datetime) -> Deletion:
        """The deletion of a person, to be gone on with at once."""
        deletion_id = secrets.token_urlsafe(ID_BYTES)
        return Deletion(deletion_id, self.close(deletion_id, person), requested_at=now, due_at=now)

    def close(self, deletion_id: str, person: Person) -> bytes:
        """The person, sealed for this one deletion."""
        return self.secrets.seal(msgspec.json.encode(person), bound_to=bound_to(deletion_id))

    def open(self, deletion: Deletion) -> Person | None:
        """Who is deleted; None once it is done."""
        if deletion.sealed is None:
            return None
        return msgspec.json.decode(self.secrets.open(deletion.sealed, bound_to=bound_to(deletion.id)), type=Person)


@dataclass(frozen=True, slots=True)
class RequestDeletion:
    """Raises `Invalid` for a wrong password, `TooManyAttempts`, and `NotFound` where the account is gone already."""

    deletions: Deletions
    confirm_password: ConfirmPassword
    owners: Owners
    seal: Seal
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, sub: str, password: str, *, client_ip: str) -> Deletion:
        """Begin it."""
        account = await self.confirm_password(sub, password, client_ip=client_ip)
        deletion = self.seal.begun(Person(sub, account.email, account.profile.locale), self.clock())
        await self.deletions.begin(deletion, sub)
        self.log.info("deletion.requested")
        with contextlib.suppress(PeerUnavailable, PeerRefused):  # it is asked again with all the others
            await self.owners.erase(SIGNS_PEOPLE_IN, sub, timeout_s=SIGN_OUT_WITHIN_S)
        return deletion


@dataclass(frozen=True, slots=True)
class ReadDeletion:
    """Whoever has the id, which nobody can guess, may see how far it is: there is no account left to ask with."""

    deletions: Deletions
    owners: Owners

    async def __call__(self, deletion_id: str) -> Deletion:
        """The deletion. Raises `NotFound`."""
        deletion = await self.deletions.find(deletion_id)
        if deletion is None:
            raise NotFound
        return deletion
