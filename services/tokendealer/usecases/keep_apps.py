"""Look after the apps that a person registered: third-party clients, which other people may let in.

A secret is random, shown once and kept as a keyed hash; a new one is good at once and the ones before go on for a while,
so that an app can be moved from one to the other without an outage. What an administrator does with other people's apps,
looking at them too, goes into the audit trail.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET, Struct, UnsetType

from services.chassis.audit import Acts, Auditor
from services.chassis.auth import API_AUDIENCE
from services.chassis.bus.event import Event
from services.chassis.logs import Logger
from services.chassis.problems import Conflict, Invalid, NotFound, Stale
from services.chassis.scopes import FOR_APPS
from services.tokendealer.domain.clients import MAX_APPS_OF_ONE, THIRD_PARTY_GRANTS, Client, ClientSecret
from services.tokendealer.domain.redirects import fault_of_all
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases.authenticate_client import SECRET_PURPOSE

SECRET_BYTES, ID_BYTES = 32, 8
ATTEMPTS = 5
OUR_NAME = "runnerly"


class Asker(Struct, frozen=True):
    """Who looks after apps: a person, after their own; an administrator, after anybody's."""

    sub: str
    admin: bool


class App(Struct, frozen=True):
    """What a person says of a new app."""

    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    public: bool


class AppChange(Struct, frozen=True):
    """What is to be different."""

    name: str | UnsetType = UNSET
    redirect_uris: tuple[str, ...] | UnsetType = UNSET
    scopes: tuple[str, ...] | UnsetType = UNSET

    @property
    def named(self) -> list[str]:
        """The names of what is to be different."""
        return sorted(name for name, value in msgspec.structs.asdict(self).items() if value is not UNSET)

    def applied_to(self, client: Client) -> Client:
        """The app, changed. Raises `Invalid`."""
        return msgspec.structs.replace(
            client,
            name=client.name if self.name is UNSET else checked_name(self.name),
            redirect_uris=client.redirect_uris
            if self.redirect_uris is UNSET
            else checked_redirects(self.redirect_uris, public=client.public),
            scopes=client.scopes if self.scopes is UNSET else checked_scopes(self.scopes),
        )


@dataclass(frozen=True, slots=True)
class KeepApps:
    """Raises `NotFound` for what is not there or somebody else's, `Invalid` for what an app can't be."""

    clients: ClientStore
    families: FamilyStore
    codes: CodeStore
    consents: ConsentStore
    keyed_hash: Callable[[str, str], str]
    acts: Acts
    auditor: Auditor
    clock: Callable[[], datetime]
    log: Logger

    async def page(self, asker: Asker, after: str | None, limit: int) -> tuple[list[Client], str | None]:
        """Some of them, and where to go on."""
        found = await self.clients.apps(None if asker.admin else asker.sub, after, limit + 1)
        if asker.admin:
            shown = str(len(found[:limit]))
            await self.acts.tell(self.auditor.told("clients.listed", self.auditor.person(asker.sub), shown=shown))
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def read(self, asker: Asker, client_id: str) -> Client:
        """One of them, to be shown."""
        client = await self.one(asker, client_id)
        if told := self._told("client.read", asker, client):
            await self.acts.tell(*told)
        return client

    async def one(self, asker: Asker, client_id: str) -> Client:
        """One of them."""
        client = await self.clients.find(client_id)
        if client is None or client.kind != "app" or not (asker.admin or client.owner == asker.sub):
            raise NotFound
        return client

    async def add(self, asker: Asker, app: App) -> tuple[Client, str | None]:
        """Register an app; itself, and its secret unless it is public. Raises `Conflict` for one too many."""
        if await self.clients.count_of(asker.sub) >= MAX_APPS_OF_ONE:
            raise Conflict(f"Nobody has more than {MAX_APPS_OF_ONE} apps")
        now = self._now()
        secret = None if app.public else secrets.token_urlsafe(SECRET_BYTES)
        client = Client(
            id=f"app-{secrets.token_hex(ID_BYTES)}",
            name=checked_name(app.name),
            kind="app",
            scopes=checked_scopes(app.scopes),
            grants=THIRD_PARTY_GRANTS,
            audiences=(API_AUDIENCE,),
            created_at=now,
            secrets=(self._kept(secret, now),) if secret else (),
            owner=asker.sub,
            public=app.public,
            redirect_uris=checked_redirects(app.redirect_uris, public=app.public),
            updated_at=now,
        )
        await self.clients.add(client)
        self.log.info("client.added", client_id=client.id)
        return client, secret

    async def change(self, asker: Asker, client_id: str, change: AppChange, expected: int | None) -> Client:
        """Change an app; what it may no longer do, its tokens may not from their next refresh. Raises `Stale`."""
        told = ("client.changed", ", ".join(change.named))
        client = await self._changed(asker, client_id, change.applied_to, expected, told)
        if change.scopes is not UNSET:
            await self.consents.lessen(client.scopes, client_id=client_id)
            await self.codes.lessen(client.scopes, client_id=client_id)
            await self.families.lessen(client_id, client.scopes)
        self.log.info("client.changed", client_id=client_id, what=", ".join(change.named))
        return client

    async def add_secret(self, asker: Asker, client_id: str, overlap: timedelta) -> tuple[Client, str]:
        """A new secret; the ones before are good for `overlap` yet. Raises `Conflict` for a public client."""
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._now()
        fresh = self._kept(secret, now)
        told = ("client.secret_added", "secrets")
        client = await self._changed(asker, client_id, lambda client: client.with_secret(fresh, overlap), None, told)
        self.log.info("client.changed", client_id=client_id, what="secrets")
        return client, secret

    async def remove(self, asker: Asker, client_id: str, expected: int | None) -> None:
        """Remove an app, and end all that people let it do. Raises `Stale`."""
        client = await self.one(asker, client_id)
        if expected not in {None, client.version}:
            raise Stale
        await self.forget(client_id, self._told("client.removed", asker, client))

    async def forget(self, client_id: str, told: Sequence[Event] = ()) -> None:
        """Remove an app and all that it was given. Safe to call again."""
        await self.acts.do(lambda session: self.clients.remove(client_id, session), told)
        await self.consents.withdraw(client_id=client_id)
        await self.codes.end_all(client_id=client_id)
        ended = await self.families.end_all_of_client(client_id)
        self.log.info("client.removed", client_id=client_id, sign_ins=ended)

    async def forget_all_of(self, sub: str) -> None:
        """Remove every app of a person. Safe to call again."""
        while found := await self.clients.apps(sub, None, MAX_APPS_OF_ONE):
            for client in found:
                await self.forget(client.id)

    async def _changed(
        self,
        asker: Asker,
        client_id: str,
        changed: Callable[[Client], Client],
        expected: int | None,
        told: tuple[str, str],
    ) -> Client:
        for _ in range(ATTEMPTS):
            before = await self.one(asker, client_id)
            if expected not in {None, before.version}:
                raise Stale
            after = msgspec.structs.replace(changed(before), version=before.version + 1, updated_at=self._now())
            if await self._replace(before, after, self._told(told[0], asker, before, what=told[1])):
                return after
        raise Conflict("Others are changing this app just now")

    async def _replace(self, before: Client, after: Client, told: Sequence[Event]) -> bool:
        return await self.acts.do(lambda session: self.clients.replace(before, after, session), told)

    def _told(self, action: str, asker: Asker, client: Client, **details: str) -> list[Event]:
        """What is told of an act on somebody else's app: that may only an administrator."""
        if client.owner == asker.sub:
            return []
        if client.owner is not None:
            details = {**details, "owner": self.auditor.key(client.owner)}
        actor, subject = self.auditor.person(asker.sub), self.auditor.thing("client", client.id)
        return [self.auditor.told(action, actor, subject, **details)]

    def _now(self) -> datetime:
        now = self.clock()  # to the millisecond, as the database keeps it
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _kept(self, secret: str, now: datetime) -> ClientSecret:
        return ClientSecret(self.keyed_hash(SECRET_PURPOSE, secret), now)


def checked_name(name: str) -> str:
    """The name, where people can read it and it can't pose as something else. Raises `Invalid`."""
    name = unicodedata.normalize("NFC", name).strip()
    # Control and format characters: among them those that turn the direction of the text around them.
    if not name or any(unicodedata.category(letter).startswith(("C", "Zl", "Zp")) for letter in name):
        raise Invalid.field("name", "A name has letters that everybody can see")
    if "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold())) == OUR_NAME:
        raise Invalid.field("name", "Only Runnerly is called Runnerly")
    return name


def checked_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes, each of them one that an app may have. Raises `Invalid`."""
    for scope in scopes:
        if scope not in FOR_APPS:
            raise Invalid.field("scopes", f"An app may have some of: {' '.join(FOR_APPS)}")
    return tuple(sorted(set(scopes)))


def checked_redirects(uris: tuple[str, ...], *, public: bool) -> tuple[str, ...]:
    """The redirect URIs, each of them one that an answer may go to. Raises `Invalid`."""
    if fault := fault_of_all(uris, public=public):
        place, told = fault
        raise Invalid.field(f"redirect_uris.{place}", told)
    return tuple(dict.fromkeys(uris))
