"""A person's own apps: third-party clients that other people may let in. Not for apps themselves, whatever their scopes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from services.chassis.answers import Answer, Page
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import Conflict, Forbidden, Stale
from services.chassis.scopes import ADMIN
from services.tokendealer.domain.clients import LONGEST_OVERLAP, MAX_REDIRECTS, USUAL_OVERLAP, Client, ClientSecret
from services.tokendealer.domain.families import OWN_CLIENT
from services.tokendealer.usecases import UseCases
from services.tokendealer.usecases.keep_apps import App, AppChange, Asker

PATH = "/api/v1/clients"
SCOPE = "account"
NOT_STORED = {"Cache-Control": "no-store"}

Name = Annotated[str, Meta(min_length=1, max_length=100, description="As people see it when they are asked")]
Scopes = Annotated[list[str], Meta(min_length=1, max_length=20, description="All that the app may ever ask for")]
Redirects = Annotated[
    list[str],
    Meta(
        min_length=1,
        max_length=MAX_REDIRECTS,
        description="Where answers may go, exactly: https, or http on loopback, where a public client may add any port",
    ),
]
Overlap = Annotated[
    int,
    Meta(
        ge=0, le=int(LONGEST_OVERLAP.total_seconds()), description="Seconds for which the secrets before are good yet"
    ),
]


class NewClient(Struct, frozen=True, forbid_unknown_fields=True):
    """An app to register. A `public` one runs where no secret can be kept: in a browser, on a telephone, on a desk."""

    name: Name
    redirect_uris: Redirects
    scopes: Scopes
    public: bool | None = None


class ClientChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    name: Name | UnsetType = UNSET
    redirect_uris: Redirects | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET


class NewSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """How the secret is to be changed."""

    overlap_s: Overlap = int(USUAL_OVERLAP.total_seconds())


class SecretView(Struct, frozen=True):
    """A secret, but for itself. `expires_at` is null for the newest."""

    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, secret: ClientSecret) -> SecretView:
        """What is told of it."""
        return cls(secret.created_at, secret.expires_at)


class ClientView(Struct, frozen=True, kw_only=True):
    """An app. `id` is its client_id; `owner` the person who registered it, null where an operator did."""

    id: str
    name: str
    public: bool
    redirect_uris: list[str]
    scopes: list[str]
    grant_types: list[str]
    owner: str | None
    secrets: list[SecretView]
    created_at: datetime
    updated_at: datetime | None

    @classmethod
    def of(cls, client: Client, **more: str | None) -> Self:
        """What is told of it."""
        return cls(
            id=client.id,
            name=client.name,
            public=client.public,
            redirect_uris=list(client.redirect_uris),
            scopes=list(client.scopes),
            grant_types=list(client.grants),
            owner=client.owner,
            secrets=[SecretView.of(secret) for secret in client.secrets],
            created_at=client.created_at,
            updated_at=client.updated_at,
            **more,
        )


class ClientWithSecret(ClientView, frozen=True, kw_only=True):
    """An app with its new secret, which is never shown again; null for a public one."""

    secret: str | None


class AppsEndpoint(Endpoint[UseCases]):
    """An endpoint for people on our own pages and API: an app that could register apps would never be rid of."""

    def asker(self) -> Asker:
        """Who asks. Raises `Forbidden` for a token that an app was given."""
        if self.caller.client_id != OWN_CLIENT:
            raise Forbidden("Apps are registered by people, not by apps")
        return Asker(self.caller.sub, ADMIN in self.caller.scopes)


class Clients(AppsEndpoint):
    """All of them."""

    @operation("listClients", scope=SCOPE)
    async def get(self, query: PageQuery) -> Page[ClientView]:
        """List your apps; for an administrator, everybody's."""
        after = self.position(query, str)
        found, following = await self.uses.keep_apps.page(self.asker(), after, query.limit)
        return self.page(query, [ClientView.of(client) for client in found], following)

    @operation("addClient", scope=SCOPE, status=201, problems=(Conflict,))
    async def post(self, body: NewClient) -> Answer[ClientWithSecret]:
        """Register an app. Its secret is in this answer and never again."""
        app = App(body.name, tuple(body.redirect_uris), tuple(body.scopes), bool(body.public))
        client, secret = await self.uses.keep_apps.add(self.asker(), app)
        return with_secret(client, secret, location=f"{PATH}/{client.id}")


class OneClient(AppsEndpoint):
    """One of them."""

    @operation("readClient", scope=SCOPE)
    async def get(self, client_id: str) -> Answer[ClientView]:
        """Read an app."""
        client = await self.uses.keep_apps.read(self.asker(), client_id)
        return Answer(ClientView.of(client), version=client.version)

    @operation("changeClient", scope=SCOPE, problems=(Stale, Conflict))
    async def patch(self, client_id: str, body: ClientChange) -> Answer[ClientView]:
        """Change an app: what is left out stays. Scopes that are taken away, its tokens lose at their next refresh."""
        change = AppChange(
            body.name,
            UNSET if body.redirect_uris is UNSET else tuple(body.redirect_uris),
            UNSET if body.scopes is UNSET else tuple(body.scopes),
        )
        client = await self.uses.keep_apps.change(self.asker(), client_id, change, self.expected_version)
        return Answer(ClientView.of(client), version=client.version)

    @operation("removeClient", scope=SCOPE, problems=(Stale,))
    async def delete(self, client_id: str) -> None:
        """Remove an app, and end all that people let it do."""
        await self.uses.keep_apps.remove(self.asker(), client_id, self.expected_version)


class ClientSecrets(AppsEndpoint):
    """The secrets of one of them."""

    @operation("addClientSecret", scope=SCOPE, status=201, problems=(Conflict,))
    async def post(self, client_id: str, body: NewSecret | None) -> Answer[ClientWithSecret]:
        """Give an app a new secret, which is in this answer and never again; the ones before go on for a while."""
        overlap = timedelta(seconds=(body or NewSecret()).overlap_s)
        client, secret = await self.uses.keep_apps.add_secret(self.asker(), client_id, overlap)
        return with_secret(client, secret)


def with_secret(client: Client, secret: str | None, location: str | None = None) -> Answer[ClientWithSecret]:
    """The answer that shows a secret: it has no ETag, and nobody on the way keeps it."""
    view = ClientWithSecret.of(client, secret=secret)
    return Answer(view, location=location, headers=NOT_STORED)


ROUTES = (
    Route(PATH, Clients),
    Route(f"{PATH}/{{client_id}}", OneClient),
    Route(f"{PATH}/{{client_id}}/secrets", ClientSecrets),
)
