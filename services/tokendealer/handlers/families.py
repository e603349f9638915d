"""The tokens and sign-ins of people, for the one service that knows people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.answers import Answer, Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import Forbidden, Invalid
from services.chassis.scopes import SCOPES, SERVICE
from services.tokendealer.domain.errors import SessionEnded
from services.tokendealer.domain.families import OWN_CLIENT, Family, Standing
from services.tokendealer.usecases import UseCases
from services.tokendealer.usecases.issue_tokens import Order, SignIn

NOT_STORED = {"Cache-Control": "no-store"}

Id = Annotated[str, Meta(min_length=1, max_length=128)]


class TokenOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose tokens, through which client, for what. `label` is shown in the person's list of sign-ins.

    `until` is when the sign-in ends at the latest, unless the person's standing says otherwise before.
    """

    sub: Id
    scopes: list[str]
    client: Id = OWN_CLIENT
    label: Annotated[str, Meta(max_length=200)] = ""
    until: datetime | None = None


class Renewal(Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token of a sign-in."""

    refresh_token: Annotated[str, Meta(max_length=1024)]


class StandingOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """How a person stands, by a version of their account: all that they may do, and until when, or that they are barred."""

    version: Annotated[int, Meta(ge=1)]
    scopes: list[str]
    barred: bool = False
    until: datetime | None = None


class Keeping(Struct, frozen=True):
    """The sign-in that is not to be ended with the others."""

    keep: str | None = None


class SignInTokens(Struct, frozen=True):
    """The tokens of a sign-in: `expires_in` seconds for the access token, `expires_at` for the sign-in unless used."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str
    sub: str
    family: str
    expires_at: datetime

    @classmethod
    def of(cls, sign_in: SignIn) -> SignInTokens:
        """As they are handed over."""
        minted, family = sign_in.minted, sign_in.family
        return cls(
            access_token=minted.access_token,
            token_type="Bearer",  # noqa: S106 - its type
            expires_in=minted.expires_in,
            refresh_token=sign_in.refresh_token,
            scope=" ".join(minted.scopes),
            sub=family.sub,
            family=family.id,
            expires_at=family.expires_at,
        )


class FamilyView(Struct, frozen=True):
    """One sign-in of a person."""

    id: str
    client: str
    scopes: list[str]
    label: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, family: Family) -> FamilyView:
        """What is told of it."""
        return cls(
            id=family.id,
            client=family.client_id,
            scopes=list(family.scopes),
            label=family.label,
            created_at=family.created_at,
            last_used_at=family.rotated_at,
            expires_at=family.expires_at,
        )


class PeoplesEndpoint(Endpoint[UseCases]):
    """An endpoint for accounts alone: any other service could make itself anybody's token."""

    def only_for_accounts(self) -> None:
        """Raise `Forbidden` for any other service."""
        if self.caller.sub not in self.uses.may_issue:
            raise Forbidden("Only accounts has tokens made for people")


class Tokens(PeoplesEndpoint):
    """A new sign-in."""

    @operation("issuePersonsTokens", scope=SERVICE, status=201)
    async def post(self, body: TokenOrder) -> Answer[SignInTokens]:
        """Begin a sign-in and hand over its tokens."""
        self.only_for_accounts()
        order = Order(body.sub, body.client, known(body.scopes), body.label, body.until)
        return Answer(SignInTokens.of(await self.uses.issue_tokens(order)), headers=NOT_STORED)


class Refresh(PeoplesEndpoint):
    """The next tokens of a sign-in."""

    @operation("refreshPersonsTokens", scope=SERVICE, problems=(SessionEnded,))
    async def post(self, body: Renewal) -> Answer[SignInTokens]:
        """Trade a refresh token for the next one; a token that was traded before ends its sign-in (410, as any bad one).

        An app trades its own at the token endpoint, where it has to prove itself.
        """
        self.only_for_accounts()
        arrived_at = datetime.now(UTC) - timedelta(seconds=self.request.request_time())
        sign_in = await self.uses.refresh_tokens(body.refresh_token, arrived_at=arrived_at, client_id=OWN_CLIENT)
        return Answer(SignInTokens.of(sign_in), headers=NOT_STORED)


class Revocation(PeoplesEndpoint):
    """The end of a sign-in by its refresh token."""

    @operation("revokePersonsTokens", scope=SERVICE)
    async def post(self, body: Renewal) -> None:
        """End the sign-in that a refresh token belongs to, where there is one."""
        self.only_for_accounts()
        await self.uses.end_families.by_token(body.refresh_token)


class Families(PeoplesEndpoint):
    """The sign-ins of a person."""

    @operation("listFamilies", scope=SERVICE)
    async def get(self, sub: str) -> Items[FamilyView]:
        """List the sign-ins of a person, newest first."""
        self.only_for_accounts()
        return Items([FamilyView.of(family) for family in await self.uses.end_families.all_of(sub)])

    @operation("endFamilies", scope=SERVICE)
    async def delete(self, sub: str, query: Keeping) -> None:
        """End every sign-in of a person, but the one to keep."""
        self.only_for_accounts()
        await self.uses.end_families.others(sub, query.keep)


class OneFamily(PeoplesEndpoint):
    """One sign-in of a person."""

    @operation("endFamily", scope=SERVICE)
    async def delete(self, sub: str, family_id: str) -> None:
        """End one sign-in."""
        self.only_for_accounts()
        await self.uses.end_families.one(sub, family_id)


class PersonsStanding(PeoplesEndpoint):
    """What a person may do."""

    @operation("settlePerson", scope=SERVICE)
    async def put(self, sub: str, body: StandingOrder) -> None:
        """Settle what a person may do, from the next refresh of each sign-in; who is barred has none, and gets none.

        Of several versions the newest counts, in whatever order they come.
        """
        self.only_for_accounts()
        await self.uses.settle_person(Standing(sub, body.version, known(body.scopes), body.barred, body.until))


def known(scopes: list[str]) -> tuple[str, ...]:
    """The scopes, all of them for people. Raises `Invalid`."""
    for scope in scopes:
        if scope not in SCOPES or scope == SERVICE:
            raise Invalid.field("scopes", "There is no such scope for people")
    return tuple(scopes)


INTERNAL_ROUTES = (
    Route("/internal/v1/tokens", Tokens),
    Route("/internal/v1/tokens/refresh", Refresh),
    Route("/internal/v1/tokens/revoke", Revocation),
    Route("/internal/v1/people/{sub}/families", Families),
    Route("/internal/v1/people/{sub}/families/{family_id}", OneFamily),
    Route("/internal/v1/people/{sub}/standing", PersonsStanding),
)
