"""Look after accounts: find them, change what their owners may do, shut somebody out; and read who did so before.

Whoever asks must be an administrator now, by the account and not by the token: a token is good for minutes after the role is
gone. An act and its entry in the audit trail are one transaction. All such transactions change the head of the trail, so of
two at once the second sees what the first did: two administrators can't take the role from each other at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from services.accounts import events
from services.accounts.domain.accounts import Account, Role
from services.accounts.domain.finding import Listed, words_of
from services.accounts.domain.trail import Entry, Wanted
from services.accounts.store.accounts import Accounts
from services.accounts.store.finder import Finder
from services.accounts.store.trail import Trail
from services.accounts.usecases.record_act import RecordAct
from services.accounts.usecases.settle_sessions import SettleSessions
from services.chassis.audit import Act, Auditor, Party
from services.chassis.bus.event import Event
from services.chassis.http_answers import PeerUnavailable
from services.chassis.mongo import Session
from services.chassis.problems import Conflict, Forbidden, NotFound

LISTED = "accounts.listed"


class LastAdministrator(Conflict):
    """Nobody would be left who could look after this Runnerly."""

    kind = "last-administrator"
    title = "This is the last administrator: make another one first"


class AccountChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change; what is not named stays. Everybody is a `runner`, named or not."""

    roles: frozenset[Role] | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET

    def applied_to(self, account: Account, now: datetime) -> Account:
        """The account, changed."""
        roles, disabled_at = account.roles, account.disabled_at
        if self.roles is not UNSET:
            roles = tuple(role for role in Role if role is Role.RUNNER or role in self.roles)
        if self.disabled is not UNSET:
            disabled_at = (disabled_at or now) if self.disabled else None
        return replace(account, roles=roles, disabled_at=disabled_at)


class Told(Struct, frozen=True):
    """An entry of the trail, and the accounts of its people, of those who are still here."""

    entry: Entry
    actor: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Administer:
    """Raises `Forbidden` for whoever is no administrator (any more)."""

    accounts: Accounts
    finder: Finder
    trail: Trail
    auditor: Auditor
    record_act: RecordAct
    settle_sessions: SettleSessions
    clock: Callable[[], datetime]

    async def search(self, admin: str, q: str, before: int | None, limit: int) -> tuple[list[Listed], int | None]:
        """Accounts that match all words of `q`, the newest first, and where to go on."""
        await self._check(admin)
        page, following = await self.finder.page(words_of(q), before, limit)
        details = {"searched": "yes" if q.strip() else "no", "shown": str(len(page))}
        await self.record_act(self.auditor.act(LISTED, self.auditor.person(admin), None, **details))
        return page, following

    async def change(self, admin: str, sub: str, change: AccountChange, expected: int | None) -> Listed:
        """The account, changed. Raises `NotFound`, `Stale`, `LastAdministrator`."""
        now = self.clock()
        entries: list[Entry] = []

        async def beside(session: Session, before: Account, after: Account) -> None:
            if admin != sub:
                await self._check(admin, session)
            if before.looks_after and not after.looks_after and not await self.finder.others_look_after(session, sub):
                raise LastAdministrator
            entries[:] = [
                await self.trail.append(session, act)
                for act in acts_on(self.auditor, self.auditor.person(admin), before, after)
            ]

        await self._check(admin)
        account = await self.accounts.change(
            sub, lambda account: change.applied_to(account, now), _told_of, expected=expected, beside=beside
        )
        for entry in entries:
            self.record_act.witness(entry)
        if entries:
            await self._settle(account)
        listed = await self.finder.one(sub)
        if listed is None:
            raise NotFound
        return listed

    async def audit(
        self, admin: str, wanted: Wanted, before: int | None, limit: int
    ) -> tuple[Sequence[Told], int | None]:
        """Entries of the trail, the newest first, and where to go on. A person is `wanted` by id or by key."""
        await self._check(admin)
        by_key = replace(wanted, actor=self._key(wanted.actor), subject=self._key(wanted.subject))
        entries, following = await self.trail.page(by_key, before, limit)
        parties = [party for entry in entries for party in (entry.actor, entry.subject) if party]
        people = await self.trail.people(sorted({party.key for party in parties if party.id is None}))
        return [
            Told(entry, people.get(entry.actor.key), people.get(entry.subject.key) if entry.subject else None)
            for entry in entries
        ], following

    async def _check(self, admin: str, session: Session | None = None) -> None:
        account = await self.accounts.find(admin, session)
        if account is None or not account.looks_after:
            raise Forbidden("You don't look after this Runnerly any more")

    async def _settle(self, account: Account) -> None:
        """Have sessions end before the answer, where the tokendealer answers; where it does not, the event sees to it."""
        try:
            await self.settle_sessions.settle(account)
        except PeerUnavailable:
            return

    def _key(self, of: str | None) -> str | None:
        return None if of is None else of if _is_key(of) else self.auditor.key(of)


def _told_of(before: Account, after: Account) -> list[Event]:
    told = [events.roles_changed(after)] if before.roles != after.roles else []
    return [*told, events.disabled_or_enabled(after)] if before.disabled != after.disabled else told


def acts_on(auditor: Auditor, actor: Party, before: Account, after: Account) -> list[Act]:
    """What was done to an account, as the trail tells of it."""
    subject, acts = auditor.person(after.id), list[Act]()
    if before.roles != after.roles:
        roles = {"before": " ".join(before.roles), "after": " ".join(after.roles)}
        acts.append(auditor.act(events.ROLES_CHANGED, actor, subject, **roles))
    if before.disabled != after.disabled:
        acts.append(auditor.act(events.DISABLED if after.disabled else events.ENABLED, actor, subject))
    return acts


def _is_key(text: str) -> bool:
    """Whether it is the keyed hash itself, as the trail shows it, and not an id: those are shorter."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
