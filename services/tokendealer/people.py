"""What the tokendealer holds of people: their sign-ins, the apps they let in, and the apps they registered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec import Struct

from services.chassis.holdings import Holding
from services.chassis.people import Belonging, Erased
from services.tokendealer.domain.clients import MAX_APPS_OF_ONE
from services.tokendealer.store import ClientStore, FamilyStore, StandingStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases.keep_apps import KeepApps


class TakenSignIn(Struct, frozen=True):
    """One sign-in: through which client, with which scopes, at what device (as it called itself)."""

    client_id: str
    scopes: tuple[str, ...]
    label: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class TakenConsent(Struct, frozen=True):
    """An app that the person let in, and what it may do."""

    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    changed_at: datetime


class TakenCode(Struct, frozen=True):
    """A code that an app was given lately, to be traded for tokens."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    created_at: datetime
    used: bool


class TakenApp(Struct, frozen=True):
    """An app that the person registered, without its secrets."""

    client_id: str
    name: str
    public: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    created_at: datetime


class TakenStanding(Struct, frozen=True):
    """What the person may do, by a version of their account."""

    version: int
    scopes: tuple[str, ...]
    barred: bool


class HeldOfPeople:
    """The tokendealer's part in the people protocol."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("sign-ins/*.json", "A sign-in that has not ended", TakenSignIn),
        Holding("apps-let-in/*.json", "An app that the person let in", TakenConsent),
        Holding("codes-for-apps/*.json", "A code that an app was given lately", TakenCode),
        Holding("apps/*.json", "An app that the person registered", TakenApp),
        Holding("standing.json", "What the person may do, or that an administrator has shut them out", TakenStanding),
    )

    def __init__(
        self,
        *,
        families: FamilyStore,
        clients: ClientStore,
        codes: CodeStore,
        consents: ConsentStore,
        standings: StandingStore,
        keep_apps: KeepApps,
        clock: Callable[[], datetime],
    ) -> None:
        self._families = families
        self._clients = clients
        self._codes = codes
        self._consents = consents
        self._standings = standings
        self._keep_apps = keep_apps
        self._clock = clock

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """When and through what somebody signed in, what they let in, their apps; nothing that could be signed in with."""
        for family in await self._families.of_person(sub, self._clock()):
            sign_in = TakenSignIn(
                client_id=family.client_id,
                scopes=family.scopes,
                label=family.label,
                created_at=family.created_at,
                last_used_at=family.rotated_at,
                expires_at=family.expires_at,
            )
            yield _as_file(f"sign-ins/{family.id}", sign_in)
        for consent in await self._consents.of_person(sub):
            let_in = TakenConsent(consent.client_id, consent.scopes, consent.created_at, consent.changed_at)
            yield _as_file(f"apps-let-in/{consent.client_id}", let_in)
        for number, code in enumerate(await self._codes.of_person(sub), 1):
            taken = TakenCode(code.client_id, code.redirect_uri, code.scopes, code.created_at, code.family is not None)
            yield _as_file(f"codes-for-apps/{number}", taken)
        for client in await self._clients.apps(sub, None, 2 * MAX_APPS_OF_ONE):
            app = TakenApp(
                client.id, client.name, client.public, client.redirect_uris, client.scopes, client.created_at
            )
            yield _as_file(f"apps/{client.id}", app)
        if (standing := await self._standings.find(sub)) is not None:
            yield _as_file("standing", TakenStanding(standing.version, standing.scopes, standing.barred))

    async def erase(self, sub: str) -> Erased:
        """End every sign-in, take back every consent, and remove every app with all that others let it do.

        In this order: a code that is being traded now finds no consent, and ends what it began.
        """
        await self._consents.withdraw(sub=sub)
        await self._codes.end_all(sub=sub)
        await self._families.end_all_of_person(sub)
        await self._keep_apps.forget_all_of(sub)
        await self._standings.forget(sub)
        return Erased()


def _as_file(path: str, value: Struct) -> Belonging:
    return Belonging(f"{path}.json", msgspec.json.encode(value))
