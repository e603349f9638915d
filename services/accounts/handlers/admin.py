"""Administration: accounts, and the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from services.accounts.domain.accounts import Role, Units
from services.accounts.domain.finding import Listed
from services.accounts.domain.trail import Party, Wanted
from services.accounts.usecases import UseCases
from services.accounts.usecases.administer import AccountChange, LastAdministrator, Told
from services.chassis.answers import Answer, Page
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import NotFound, Stale
from services.chassis.scopes import ADMIN

Moment = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]


class AccountsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which accounts."""

    q: Annotated[
        str,
        Meta(
            max_length=200,
            description="Words, all of which the name, the e-mail address or its domain, or the id (from its fourth"
            " letter on) must begin with; case and accents don't matter",
        ),
    ] = ""


class AdminAccountView(Struct, frozen=True):
    """An account, as administrators see it: nothing that its owner told about their body.

    `version` is for `If-Match`; `last_seen_at` is right to the hour, and null where nobody knows.
    """

    id: str
    email: str
    name: str
    locale: str
    timezone: str
    units: Units
    roles: tuple[Role, ...]
    activated: bool
    disabled: bool
    created_at: datetime
    last_seen_at: datetime | None
    version: int

    @classmethod
    def of(cls, listed: Listed) -> AdminAccountView:
        """The view of an account."""
        account = listed.account
        return cls(
            id=account.id,
            email=account.email,
            name=account.profile.name,
            locale=account.profile.locale,
            timezone=account.profile.timezone,
            units=account.profile.units,
            roles=account.roles,
            activated=account.activated,
            disabled=account.disabled,
            created_at=account.created_at,
            last_seen_at=listed.last_seen_at,
            version=account.version,
        )


class PartyView(Struct, frozen=True):
    """Who did something, or what it was done to: a `person`, an `operator` at the command line, an app (`client`), a key.

    A person has the id of an account while there is one, and the same `key` for ever; what is no person has an id.
    """

    kind: str
    id: str | None
    key: str

    @classmethod
    def of(cls, party: Party, person: str | None) -> PartyView:
        """The view of a party."""
        return cls(party.kind, party.id or person, party.key)


class AuditEntryView(Struct, frozen=True):
    """A privileged act. `at` is when it was done, `recorded_at` when it came into the trail; `number` is its place there."""

    id: str
    number: int
    at: datetime
    recorded_at: datetime
    service: str
    action: str
    actor: PartyView
    subject: PartyView | None
    details: dict[str, str]

    @classmethod
    def of(cls, told: Told) -> AuditEntryView:
        """The view of an entry."""
        entry = told.entry
        return cls(
            id=entry.id,
            number=entry.number,
            at=entry.at,
            recorded_at=entry.recorded_at,
            service=entry.service,
            action=entry.action,
            actor=PartyView.of(entry.actor, told.actor),
            subject=PartyView.of(entry.subject, told.subject) if entry.subject else None,
            details=entry.details,
        )


class AuditQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which entries."""

    actor: Annotated[Name | None, Meta(description="Of this person: an account's id, or a key")] = None
    subject: Annotated[Name | None, Meta(description="About this: the id of an account or a thing, or a key")] = None
    action: Annotated[Name | None, Meta(description="Of this kind, like account.disabled")] = None
    since: Annotated[Moment | None, Meta(description="Done from this moment on")] = field(default=None, name="from")
    until: Annotated[Moment | None, Meta(description="Done before this moment")] = field(default=None, name="to")


class AdminAccounts(Endpoint[UseCases]):
    """All accounts, for administrators."""

    @operation("listAccounts", scope=ADMIN)
    async def get(self, query: AccountsQuery) -> Page[AdminAccountView]:
        """List and search accounts, the newest first.

        A page may be short, or empty, where much had to be looked at: go on for as long as there is a `next`.
        """
        before = self.position(query, int)
        page, following = await self.uses.administer.search(self.caller.sub, query.q, before, query.limit)
        return self.page(query, [AdminAccountView.of(listed) for listed in page], following)


class AdminAccount(Endpoint[UseCases]):
    """One account, for administrators."""

    @operation("changeAccount", scope=ADMIN, problems=(NotFound, Stale, LastAdministrator))
    async def patch(self, account_id: str, body: AccountChange) -> Answer[AdminAccountView]:
        """Change what somebody may do here, or shut them out.

        A role that is taken away, sessions lose at their next refresh. Disabling ends all sessions, and what apps were let
        do, at once; access tokens that are out are good for minutes yet.
        """
        listed = await self.uses.administer.change(self.caller.sub, account_id, body, self.expected_version)
        return Answer(AdminAccountView.of(listed), version=listed.account.version)


class Audit(Endpoint[UseCases]):
    """The audit trail."""

    @operation("listAuditTrail", scope=ADMIN)
    async def get(self, query: AuditQuery) -> Page[AuditEntryView]:
        """Read who did what by a right that not everybody has, the newest first."""
        wanted = Wanted(query.actor, query.subject, query.action, query.since, query.until)
        before = self.position(query, int)
        entries, following = await self.uses.administer.audit(self.caller.sub, wanted, before, query.limit)
        return self.page(query, [AuditEntryView.of(told) for told in entries], following)


ROUTES = (
    Route("/api/v1/admin/accounts", AdminAccounts),
    Route("/api/v1/admin/accounts/{account_id}", AdminAccount),
    Route("/api/v1/admin/audit", Audit),
)
