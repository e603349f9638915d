"""What accounts tells (events, and mails to be sent), and what it hears of itself.

A `profile.changed` holds the whole profile, so that who hears it needs no call; nothing holds an e-mail address but the
mails themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from services.accounts.domain.accounts import Account
from services.chassis.bus.event import Event, Job
from services.chassis.bus.service_bus import ServiceBus

MAIL_QUEUE = "mailer.send"
SettleSessions = Callable[[str, datetime, bool], Awaitable[None]]
REGISTERED, ACTIVATED, ROLES_CHANGED = "account.registered", "account.activated", "account.roles_changed"
PASSWORD_CHANGED, PROFILE_CHANGED = "account.password_changed", "profile.changed"


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


def password_changed(account: Account) -> Event:
    """A person has chosen another password; every session of before is over."""
    data = {"password_replaced": True}
    return Event.of(PASSWORD_CHANGED, key=account.id, version=account.version, data=data, sub=account.id)


def profile_changed(account: Account) -> Event:
    """A person has told something else about themselves."""
    data: dict[str, Any] = msgspec.to_builtins(account.profile)
    return Event.of(PROFILE_CHANGED, key=account.id, version=account.version, data=data, sub=account.id)


def mail(template: str, account: Account, data: dict[str, Any] | None = None) -> Job:
    """A mail to the address of an account, in its owner's language."""
    order = {
        "template": template,
        "to": account.email,
        "locale": account.profile.locale,
        "data": data or {},
        "sub": account.id,
    }
    return Job.of(MAIL_QUEUE, order, sub=account.id)


async def listen(bus: ServiceBus, settle_sessions: SettleSessions) -> None:
    """Hear what changes what somebody may do: the tokendealer is told of it until it has understood."""

    async def settle(event: Event) -> None:
        await settle_sessions(event.key, event.occurred_at, event.data.get("password_replaced", False))

    await bus.subscribe([ACTIVATED, ROLES_CHANGED, PASSWORD_CHANGED], settle, name="sessions")
