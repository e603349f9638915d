"""`runnerly clients`: the programs that get tokens in their own name."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from services.chassis.audit import OPERATORS, Auditor
from services.chassis.auth import API_AUDIENCE
from services.chassis.bus.event import Event
from services.chassis.mongo import Mongo
from services.chassis.scopes import FOR_APPS
from services.chassis.secrets import Secrets, read_secrets
from services.chassis.settings import ProcessSettings
from services.command.keys import acts_of, tokendealer_database, with_database
from services.tokendealer.domain.clients import (
    APP_GRANTS,
    THIRD_PARTY_GRANTS,
    Client,
    ClientSecret,
    PublicKey,
)
from services.tokendealer.domain.redirects import fault_of_all
from services.tokendealer.signing import public_key_of
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases.authenticate_client import SECRET_PURPOSE


@click.group()
def clients() -> None:
    """List, add and remove OAuth clients."""


@clients.command(name="list")
def list_command() -> None:
    """List every client, our own services first."""

    async def run(process: ProcessSettings, mongo: Mongo) -> None:  # noqa: ARG001, RUF100 - as the others
        for client in await ClientStore(tokendealer_database(mongo)).all():
            proofs = [*(f"key {key.alg}" for key in client.keys), *("secret" for _ in client.secrets)]
            click.echo(f"{client.id}  {client.kind}  {client.name}  [{' '.join(client.scopes)}]  {', '.join(proofs)}")

    with_database(run)


@clients.command(name="add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(FOR_APPS), help="What it may do; repeatable.")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help="Where people are sent back to, exactly: it may then ask them by authorization code; repeatable.",
)
@click.option("--public", is_flag=True, help="It can keep no secret: PKCE alone, with --redirect-uri.")
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A PEM file to prove itself with, instead of a secret: an X.509 certificate, which counts until it expires, or"
    " a key (EC P-256, or RSA).",
)
def add_command(
    name: str, scopes: tuple[str, ...], redirect_uris: tuple[str, ...], public: bool, public_key: Path | None
) -> None:
    """Add a client called NAME; its secret is shown this once."""
    if not scopes:
        raise click.UsageError("Say what it may do with --scope")
    if fault := fault_of_all(redirect_uris, public=public):
        raise click.UsageError(fault[1])
    if public and (public_key or not redirect_uris):
        raise click.UsageError("A public client has a --redirect-uri, and neither secret nor key")
    try:
        keys = (public_key_of(public_key.read_bytes()),) if public_key else ()
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        secret = "" if keys or public else secrets.token_urlsafe(32)
        client = new_client(name, scopes, keys, secret, read_secrets(process))
        if redirect_uris:
            grants = THIRD_PARTY_GRANTS if public else (*APP_GRANTS, *THIRD_PARTY_GRANTS[:1])
            client = msgspec.structs.replace(client, redirect_uris=redirect_uris, public=public, grants=grants)
        database = tokendealer_database(mongo)
        store, told = ClientStore(database), _told("client.added", client.id, read_secrets(process))
        await acts_of(database).do(lambda session: store.add(client, session), [told])
        click.echo(f"client_id={client.id}")
        if secret:
            click.echo(f"client_secret={secret}")

    with_database(run)


@clients.command(name="remove")
@click.argument("client_id")
def remove_command(client_id: str) -> None:
    """Remove the client CLIENT_ID, and end every sign-in through it."""

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        database = tokendealer_database(mongo)
        store, told = ClientStore(database), _told("client.removed", client_id, read_secrets(process))
        if not await acts_of(database).do(lambda session: store.remove(client_id, session), [told]):
            raise click.ClickException(f"There is no client {client_id}")
        await ConsentStore(database).withdraw(client_id=client_id)
        await CodeStore(database).end_all(client_id=client_id)
        ended = await FamilyStore(database).end_all_of_client(client_id)
        click.echo(f"Removed {client_id}; {ended} sign-ins ended")

    with_database(run)


def _told(action: str, client_id: str, box: Secrets) -> Event:
    auditor = Auditor("tokendealer", box)
    return auditor.told(action, OPERATORS, auditor.thing("client", client_id))


def new_client(name: str, scopes: tuple[str, ...], keys: tuple[PublicKey, ...], secret: str, box: Secrets) -> Client:
    """A client of the public API, with a key or a secret."""
    now = datetime.now(UTC)
    return Client(
        id=f"app-{secrets.token_hex(8)}",
        name=name,
        kind="app",
        scopes=tuple(sorted(set(scopes))),
        grants=APP_GRANTS,
        audiences=(API_AUDIENCE,),
        created_at=now,
        keys=keys,
        secrets=(ClientSecret(box.keyed_hash(SECRET_PURPOSE, secret), now),) if secret else (),
    )
