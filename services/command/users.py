"""`runnerly users`: accounts that no form can make, and a way in for who has lost theirs."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click
from msgspec.structs import replace

from services.accounts import events
from services.accounts.app import SERVICE
from services.accounts.blocked_passwords import read_blocked_passwords
from services.accounts.domain.accounts import Account, Profile, Role, check_profile, with_password
from services.accounts.domain.links import EmailTaken
from services.accounts.domain.passwords import PasswordRules
from services.accounts.hashing import Hashing
from services.accounts.settings import Settings
from services.accounts.store.accounts import Accounts
from services.accounts.store.second_factors import SecondFactors
from services.accounts.usecases.administer import acts_on
from services.accounts.usecases.register import ID_BYTES
from services.accounts.usecases.second_factor import removal
from services.chassis import settings
from services.chassis.addresses import Address, parse_address
from services.chassis.audit import OPERATORS, Auditor
from services.chassis.bus.event import Event
from services.chassis.idempotency import unkeyed
from services.chassis.problems import Invalid
from services.chassis.secrets import read_secrets
from services.chassis.settings import ProcessSettings
from services.command.database import connected, outbox_of
from services.command.logbook import logbook

ADMIN_ROLES = (Role.RUNNER, Role.ADMIN)


@click.group()
def users() -> None:
    """Make people administrators, and let in who has lost the second factor."""


@users.command(name="create-admin")
@click.option("--email", prompt=True, help="The e-mail address to sign in with.")
@click.option("--name", default="Administrator", show_default=True, help="The name to be known by.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, for scripts.")
def create_admin(email: str, name: str, password_stdin: bool) -> None:
    """Make an account that looks after this Runnerly, active at once; or give an account that is there that role.

    The password is asked for, or read from standard input; that of an account that is there stays as it is.
    """
    process = settings.read(ProcessSettings, os.environ)
    try:
        address = parse_address(email)
        profile = check_profile(Profile(name), datetime.now(UTC).date())
        click.echo(asyncio.run(_create_admin(process, address, profile, from_stdin=password_stdin)))
    except Invalid as wrong:
        raise click.ClickException(wrong.detail) from wrong


@users.command(name="remove-second-factor")
@click.option("--email", prompt=True, help="The e-mail address of the account.")
def remove_second_factor(email: str) -> None:
    """Turn off the second factor of somebody who has lost it, and all recovery codes.

    Be sure that it is the owner who asks: from now on their password is enough. They are told by mail, all their
    sessions end, and it is written in the log (`second_factor.removed`).
    """
    process = settings.read(ProcessSettings, os.environ)
    try:
        address = parse_address(email)
    except Invalid as wrong:
        raise click.ClickException(wrong.detail) from wrong
    sub = asyncio.run(_remove_second_factor(process, address))
    with logbook(process, "users", person_key=read_secrets(process).derive("logs.person")) as log:
        log.warning("second_factor.removed", by="operator", person=sub)
    click.echo(f"{address.text} signs in with the password only")


async def _remove_second_factor(process: ProcessSettings, address: Address) -> str:
    async with connected(process) as mongo:
        own = mongo.database(SERVICE.database)
        outbox = outbox_of(own)
        account = await Accounts(own, outbox).by_email(address.key)
        auditor = Auditor(SERVICE.name, read_secrets(process))
        if account is None or not await SecondFactors(own, outbox).remove(
            account.id,
            [
                *removal(account, keep=None),
                auditor.told("second_factor.removed", OPERATORS, auditor.person(account.id)),
            ],
        ):
            raise click.ClickException("No account with this address has a second factor")
        return account.id


async def _create_admin(process: ProcessSettings, address: Address, profile: Profile, *, from_stdin: bool) -> str:
    async with connected(process) as mongo:
        own = mongo.database(SERVICE.database)
        accounts = Accounts(own, outbox_of(own))
        auditor = Auditor(SERVICE.name, read_secrets(process))
        return await make_admin(accounts, auditor, address, profile, lambda: _password(from_stdin=from_stdin))


async def make_admin(
    accounts: Accounts, auditor: Auditor, address: Address, profile: Profile, ask: Callable[[], str]
) -> str:
    """Make an administrator, and say what was done. An account that is disabled is enabled.

    `ask` gives the password. Only an account whose address was confirmed keeps the one it has: before that, whoever
    registered it may be anybody.
    """
    known = await accounts.by_email(address.key)
    if known is not None and known.activated:
        await _change(accounts, auditor, known, known.password)
        return f"{known.email} is an administrator"
    rules = PasswordRules(settings.read(Settings, os.environ).password_shortest, read_blocked_passwords())
    hashed = await _hashed(rules.check(ask(), (profile.name, address.text)))
    if known is None:
        try:
            await _add(accounts, auditor, address, profile, hashed)
        except EmailTaken:
            raise click.ClickException("Somebody registered this address at this moment: try again") from None
    else:
        await _change(accounts, auditor, known, hashed)
    return f"{address.text} is an administrator, and can sign in with this password"


async def _change(accounts: Accounts, auditor: Auditor, known: Account, password: str) -> None:
    def as_admin(account: Account) -> Account:
        roles = tuple(role for role in Role if role in {*account.roles, Role.ADMIN})
        activated_at = account.activated_at or datetime.now(UTC)
        admin = replace(account, roles=roles, activated_at=activated_at, disabled_at=None)
        return admin if password == account.password else with_password(admin, password, datetime.now(UTC))

    await accounts.change(known.id, as_admin, lambda before, after: _told_of(auditor, before, after))


def _told_of(auditor: Auditor, before: Account, after: Account) -> list[Event]:
    told = [
        events.roles_changed(after)
        if before.activated
        else events.activated(after, password_replaced=before.password != after.password)
    ]
    return [*told, *(auditor.event(act) for act in acts_on(auditor, OPERATORS, before, after))]


async def _hashed(password: str) -> str:
    hashing = Hashing(threads=1)
    try:
        return await hashing.hash(password)
    finally:
        await hashing.close()


async def _add(accounts: Accounts, auditor: Auditor, address: Address, profile: Profile, hashed: str) -> None:
    now = datetime.now(UTC)
    account = Account(secrets.token_urlsafe(ID_BYTES), address.text, hashed, profile, now, ADMIN_ROLES, now)
    act = auditor.told("account.created", OPERATORS, auditor.person(account.id), roles=" ".join(account.roles))
    told = [events.registered(account), events.profile_changed(account), act]
    await accounts.add(account, address.key, (), told, unkeyed())


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
