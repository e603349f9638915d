"""Deletions: one asks for one's own while signed in, and asks how far it is with its id alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.deletions import Deletion, Stage
from services.accounts.handlers.accounts import Password
from services.accounts.handlers.sessions import BrowserEndpoint
from services.accounts.usecases import UseCases
from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import NotFound

PATH = "/api/v1/accounts/deletions"


class DeletionOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """The password, once more: it can't be undone."""

    password: Password


class DeletionBegun(Struct, frozen=True):
    """The id to ask with how far it is; it is on the receipt, too."""

    id: str


class KeptView(Struct, frozen=True):
    """What a service keeps, since a law says so, without saying whose it was."""

    service: str
    what: str
    why: str
    until: date | None


class DeletionView(Struct, frozen=True):
    """How far a deletion is: `waiting_for` are the services that have not confirmed yet."""

    id: str
    state: Literal["running", "done"]
    requested_at: datetime
    finished_at: datetime | None
    waiting_for: tuple[str, ...]
    kept: tuple[KeptView, ...]

    @classmethod
    def of(cls, deletion: Deletion, services: tuple[str, ...]) -> DeletionView:
        """The view of a deletion."""
        erasing = deletion.stage is Stage.ERASING
        return cls(
            id=deletion.id,
            state="running" if erasing else "done",
            requested_at=deletion.requested_at,
            finished_at=deletion.told_at,
            waiting_for=deletion.waits_for(services) if erasing else (),
            kept=tuple(
                KeptView(kept.service, kept.what, kept.why, kept.until)
                for service in deletion.kept.values()
                for kept in service
            ),
        )


class OwnDeletion(BrowserEndpoint):
    """The deletion of who asks."""

    @operation("requestDeletion", scope="account", status=202, problems=(TooManyAttempts, NotFound))
    async def post(self, body: DeletionOrder) -> Answer[DeletionBegun]:
        """Have all erased that any service holds of oneself. The account is gone with the answer; a mail tells the end."""
        deletion = await self.uses.request_deletion(self.caller.sub, body.password, client_ip=self.client_ip)
        cookies = self.signed_out().cookies
        return Answer(DeletionBegun(deletion.id), location=f"{PATH}/{deletion.id}", cookies=cookies)


class OneDeletion(Endpoint[UseCases]):
    """One deletion."""

    @operation("readDeletion", scope=None, problems=(NotFound,))
    async def get(self, deletion_id: str) -> DeletionView:
        """See how far a deletion is, with its id."""
        deletion = await self.uses.read_deletion(deletion_id)
        return DeletionView.of(deletion, self.uses.read_deletion.owners.names)


ROUTES = (Route("/api/v1/accounts/me/deletion", OwnDeletion), Route(f"{PATH}/{{deletion_id}}", OneDeletion))
