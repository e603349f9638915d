"""What accounts tells (events, and mails to be sent), and what it hears of itself.

A `profile.changed` holds the whole profile, so that who hears it needs no call; nothing holds an e-mail address but the
mails themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.accounts.domain.accounts import Account
from services.accounts.domain.deletions import Deletion, Person
from services.chassis.audit import RECORDED, Act, act_in
from services.chassis.bus.event import Event, Job
from services.chassis.bus.service_bus import ServiceBus

MAIL_QUEUE, LINK_QUEUE = "mailer.send", "accounts.links"
RecordAct = Callable[[Act], Awaitable[None]]
EndOtherSessions = Callable[[str, str | None, datetime], Awaitable[None]]
MailLink = Callable[[str, str], Awaitable[None]]
SettleSessions = Callable[[str, datetime, bool, str | None], Awaitable[None]]

REGISTERED, ACTIVATED, ROLES_CHANGED = "account.registered", "account.activated", "account.roles_changed"
PASSWORD_CHANGED, EMAIL_CHANGED = "account.password_changed", "account.email_changed"
PROFILE_CHANGED, SECOND_FACTOR_CHANGED = "profile.changed", "second_factor.changed"
DISABLED, ENABLED = "account.disabled", "account.enabled"


def registered(account: Account) -> Event:
    """Somebody has made an account."""
    return Event.of(REGISTERED, key=account.id, version=account.version, data={}, sub=account.id)


def activated(account: Account, *, password_replaced: bool) -> Event:
    """The owner of an address has confirmed it; with `password_replaced`, who signed in before is somebody else."""
    data = {"password_replaced": password_replaced}
    return Event.of(ACTIVATED, key=account.id, version=account.version, data=data, sub=account.id)


def roles_changed(account: Account) -> Event:
    """A person may do more, or less."""
    data = {"roles": [str(role) for role in account.roles]}
    return Event.of(ROLES_CHANGED, key=account.id, version=account.version, data=data, sub=account.id)


def disabled_or_enabled(account: Account) -> Event:
    """An administrator has shut a person out, or let them in again."""
    topic = DISABLED if account.disabled else ENABLED
    return Event.of(topic, key=account.id, version=account.version, data={}, sub=account.id)


def password_changed(account: Account, *, keep: str | None = None) -> Event:
    """A person has chosen another password; every session of before is over, but the one to keep."""
    data = {"password_replaced": True, "keep": keep}
    return Event.of(PASSWORD_CHANGED, key=account.id, version=account.version, data=data, sub=account.id)


def email_changed(account: Account) -> Event:
    """A person has another address; which, is nobody else's business."""
    return Event.of(EMAIL_CHANGED, key=account.id, version=account.version, data={}, sub=account.id)


def profile_changed(account: Account) -> Event:
    """A person has told something else about themselves."""
    data: dict[str, Any] = msgspec.to_builtins(account.profile)
    return Event.of(PROFILE_CHANGED, key=account.id, version=account.version, data=data, sub=account.id)


def second_factor_changed(sub: str, *, keep: str | None) -> Event:
    """A second factor was turned on or off; every session of before is over, but the one to keep.

    It has no version: each of these counts, in whatever order they come.
    """
    return Event.of(SECOND_FACTOR_CHANGED, key=sub, version=0, data={"keep": keep}, sub=sub)


def mail(template: str, account: Account, data: dict[str, Any] | None = None, *, to: str | None = None) -> Job:
    """A mail to the owner of an account, in their language, at their address where no other is named."""
    order = {
        "template": template,
        "to": to or account.email,
        "locale": account.profile.locale,
        "data": data or {},
        "sub": account.id,
    }
    return Job.of(MAIL_QUEUE, order, sub=account.id)


def link_wanted(kind: str, sealed: str) -> Job:
    """A link that was asked for with the name of an address, which is sealed."""
    return Job.of(LINK_QUEUE, {"kind": kind, "address": sealed})


def receipt(person: Person, deletion: Deletion, services: Sequence[str]) -> Job:
    """The mail that tells that nothing is held any more. It is about nobody: the mailer forgets the address once it is sent."""
    order = {
        "template": "account-deleted",
        "to": person.email,
        "locale": person.locale,
        "data": {"reference": deletion.id, "services": ", ".join(services)},
    }
    return Job.of(MAIL_QUEUE, order)


def export_ready(account: Account, export_id: str, days: int) -> Job:
    """The mail that tells where an archive is, and for how many days."""
    return mail("export-ready", account, {"export_id": export_id, "days": days})


async def listen(bus: ServiceBus, settle_sessions: SettleSessions, end_other_sessions: EndOtherSessions) -> None:
    """Hear what changes what somebody may do: the tokendealer is told of it until it has understood."""

    async def settle(event: Event) -> None:
        await settle_sessions(
            event.key, event.occurred_at, event.data.get("password_replaced", False), event.data.get("keep")
        )

    async def end_others(event: Event) -> None:
        await end_other_sessions(event.key, event.data["keep"], event.occurred_at)

    topics = [ACTIVATED, ROLES_CHANGED, DISABLED, ENABLED, PASSWORD_CHANGED]
    await bus.subscribe(topics, settle, name="sessions")
    await bus.subscribe([SECOND_FACTOR_CHANGED], end_others, name="other-sessions")


async def mail_links(bus: ServiceBus, mail_link: MailLink) -> None:
    """Mail the links that were asked for."""

    async def mail_one(job: Job) -> None:
        await mail_link(job.data["kind"], job.data["address"])

    await bus.work(LINK_QUEUE, mail_one, concurrency=2)


async def listen_to_acts(bus: ServiceBus, record_act: RecordAct) -> None:
    """Hear of privileged acts, wherever they are done. One at a time: each changes the head of the trail."""

    async def record(event: Event) -> None:
        await record_act(act_in(event))

    await bus.subscribe([RECORDED], record, name="audit", concurrency=1)
