"""`runnerly keys`: the key-encryption key, the keys that sign tokens, and each service's own key pair.

`bootstrap` brings all of them about where they are missing. It is safe to run at every start, by several at once: a file
appears whole or not at all, the first signing key is whoever's insert came first, and a service may be known by several keys.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from services.chassis import settings
from services.chassis.audit import OPERATORS, Acts, Auditor
from services.chassis.identity import read_service_key, service_key_path
from services.chassis.mongo import Database, Mongo
from services.chassis.resealing import Resealed, reseal
from services.chassis.scopes import SERVICE
from services.chassis.secrets import Secrets, WrongKey, key_file_path, read_secrets
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command import street
from services.command.database import connected, outbox_of
from services.command.key_files import add_kek, forget_keks, make_key_file, write_once
from services.tokendealer.domain.clients import SERVICE_GRANTS, Client
from services.tokendealer.domain.keys import PUBLISHED_AHEAD, SigningKey, is_past, signer
from services.tokendealer.signing import new_signing_key, open_signing_key, public_key_of
from services.tokendealer.store import ClientStore, KeyStore, Taken


@click.group()
def keys() -> None:
    """Make, list and change keys."""


@keys.command(name="bootstrap")
def bootstrap_command() -> None:
    """Make the keys that are missing; change none that is there."""

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        for made in await bootstrap(process, mongo, street.NAMES):
            click.echo(f"Made {made}")
        click.echo("All keys are there")

    with_database(run)


@keys.command(name="list")
def list_command() -> None:
    """List the keys that sign tokens."""

    async def run(process: ProcessSettings, mongo: Mongo) -> None:  # noqa: ARG001, RUF100 - as the others
        known, now = await KeyStore(tokendealer_database(mongo)).all(), datetime.now(UTC)
        for key in known:
            state = state_of(known, key, now)
            click.echo(f"{key.kid}  made {key.created_at:%Y-%m-%d %H:%M}  signs from {key.signs_from:%H:%M}Z  {state}")

    with_database(run)


@keys.command(name="rotate")
@click.option("--revoke", is_flag=True, help="Withdraw the present keys at once: every access token must be renewed.")
def rotate_command(revoke: bool) -> None:
    """Make a new key to sign tokens with.

    It is published now and signs in a quarter of an hour, when everybody who verifies tokens has it; the one before
    verifies until its last token has expired.
    """

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        database = tokendealer_database(mongo)
        if revoke:  # a way out where the KEK is lost: nothing that it sealed is needed any more
            make_key_file(process)
        key = await rotate(database, read_secrets(process), datetime.now(UTC), revoke=revoke)
        click.echo(f"Key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S}Z")

    with_database(run)


@keys.command(name="replace-kek")
def replace_kek_command() -> None:
    """Put a new key-encryption key into use, beside the present one.

    What runs goes on, and opens what either sealed. Restart everything next, one after the other, so that the new one
    seals; then seal anew what the old one did (`runnerly keys reseal`), and let the old one go (`--forget`).
    """

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        add_kek(process)
        await _tell(mongo, "keys.kek_replaced", read_secrets(process))
        click.echo(f"A new key-encryption key is the first in {key_file_path(process)}: restart what runs with it")

    with_database(run)


@keys.command(name="reseal")
@click.option("--forget", is_flag=True, help="Let earlier keys go, where nothing is left that they sealed.")
def reseal_command(forget: bool) -> None:
    """Seal anew, with the first key-encryption key, what an earlier one sealed. Safe to interrupt, and to run again."""

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        box = read_secrets(process)
        done = await reseal_all(mongo, box)
        for one in done:
            click.echo(f"{one.collection}: {one.anew} sealed anew")
        if lost := [f"{one.lost} in {one.collection}" for one in done if one.lost]:
            raise click.ClickException(
                f"None of the keys in the file opens {', '.join(lost)}: put the key back that sealed them"
            )
        if not forget:
            return
        if any(one.anew for one in done):
            raise click.ClickException(
                "Something was left that an earlier key sealed, so perhaps something still runs that seals with it."
                " It is kept: restart everything, and run this again in an hour"
            )
        if gone := forget_keks(process):
            await _tell(mongo, "keys.kek_forgotten", box)
        click.echo(f"{gone} earlier keys are gone from {key_file_path(process)}")

    with_database(run)


async def reseal_all(mongo: Mongo, box: Secrets) -> list[Resealed]:
    """Seal anew what any service keeps that an earlier key sealed."""
    return [
        replace(one, collection=f"{service.name}.{one.collection}")
        for service in street.street()
        for one in await reseal(mongo.database(service.database), service.all_collections, box)
    ]


async def _tell(mongo: Mongo, action: str, box: Secrets) -> None:
    """Have the audit trail tell of an act of an operator."""
    auditor = Auditor("tokendealer", box)
    await acts_of(tokendealer_database(mongo)).tell(auditor.told(action, OPERATORS))


async def bootstrap(process: ProcessSettings, mongo: Mongo, names: Iterable[str]) -> list[str]:
    """Bring about every key that is missing; what was made. Raises `WrongSetting` with what to do."""
    names = list(names)
    database = tokendealer_database(mongo)
    known = await KeyStore(database).all()
    made = [
        *_make_kek(process, known),
        *await _make_signing_key(database, read_secrets(process), key_file_path(process)),
    ]
    for name in names:
        path = service_key_path(process, name)
        if write_once(path, _new_service_key):
            made.append(f"the key of {name}, {path}")
        await _introduce(database, name, path, names)
    return made


async def rotate(database: Database, box: Secrets, now: datetime, *, revoke: bool = False) -> SigningKey:
    """Add the next signing key and forget those long past; one that is on its way already is taken as it is."""
    store = KeyStore(database)
    known = await store.all()
    newest = max(known, key=lambda key: key.generation, default=None)
    if newest is not None and newest.signs_from > now and newest.revoked_at is None and not revoke:
        return newest
    generation = newest.generation + 1 if newest else 1
    key = new_signing_key(generation, now if revoke or newest is None else now + PUBLISHED_AHEAD, box)
    try:
        auditor = Auditor("tokendealer", box)
        action, subject = "keys.revoked" if revoke else "keys.rotated", auditor.thing("signing_key", key.kid)
        told = auditor.told(action, OPERATORS, subject)
        await acts_of(database).do(lambda session: store.add(key, session), [told])
    except Taken:
        return await rotate(database, box, now, revoke=revoke)
    if revoke:
        await store.revoke_before(generation, now)
    await store.remove([old.generation for old in known if is_past(known, old, now)])
    return key


def state_of(known: list[SigningKey], key: SigningKey, now: datetime) -> str:
    """What a key is for now, in a word or two."""
    current = signer(known, now)
    if key.revoked_at is not None:
        return "withdrawn"
    if current is not None and key.generation == current.generation:
        return "signs"
    if key.signs_from > now:
        return "published"
    return "past" if is_past(known, key, now) else "verifies"


def tokendealer_database(mongo: Mongo) -> Database:
    """The database that keys and clients are in."""
    return mongo.database(street.service("tokendealer").database)


def acts_of(database: Database) -> Acts:
    """What tells of an act at the command line."""
    return Acts(database, outbox_of(database))


def with_database(run: Callable[[ProcessSettings, Mongo], Awaitable[None]]) -> None:
    """Run a command on the database of this environment: the one that is set, or the embedded one."""

    async def on_database() -> None:
        process = settings.read(ProcessSettings, os.environ)
        async with connected(process) as mongo:
            await run(process, mongo)

    asyncio.run(on_database())


def _make_kek(process: ProcessSettings, known: list[SigningKey]) -> list[str]:
    """Make the KEK, but never beside keys that another one sealed."""
    path = key_file_path(process)
    if known and not path.exists():
        raise WrongSetting(
            f"The database holds keys that a key-encryption key sealed, and there is none at {path}:"
            " put the file back, or set RUNNERLY_KEK_FILE to where it is"
        )
    return [f"the key-encryption key, {path}"] if make_key_file(process) else []


async def _make_signing_key(database: Database, box: Secrets, path: Path) -> list[str]:
    store, made = KeyStore(database), list[str]()
    if not await store.all():
        key = new_signing_key(1, datetime.now(UTC), box)
        with suppress(Taken):
            await store.add(key)
            made = [f"the first signing key, {key.kid}"]
    key = max(await store.all(), key=lambda key: key.generation)
    try:
        open_signing_key(key, box)
    except WrongKey:
        raise WrongSetting(
            f"The signing key {key.kid} was sealed with another key-encryption key than the one at {path}:"
            " put that one back, or start anew with `runnerly keys rotate --revoke`"
        ) from None
    return made


async def _introduce(database: Database, name: str, path: Path, names: list[str]) -> None:
    """Make a service known to the tokendealer by the public half of its key."""
    public = read_service_key(path).public_key()
    key = public_key_of(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    client = Client(
        id=name,
        name=f"The service {name}",
        kind="service",
        scopes=(SERVICE,),
        grants=SERVICE_GRANTS,
        audiences=tuple(names),
        created_at=datetime.now(UTC),
    )
    await ClientStore(database).introduce(client, key)


def _new_service_key() -> str:
    private = generate_private_key(SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
