"""Accounts: register, and confirm the address. Every answer is the same for a known and an unknown address."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.accounts.domain.accounts import Locale, Name, Profile, Timezone
from services.accounts.domain.links import LinkGone
from services.accounts.usecases import UseCases
from services.accounts.usecases.mail_link import Wanted
from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation

Email = Annotated[str, Meta(min_length=3, max_length=254)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """Who registers. A password has 8 to 128 characters of any kind, and is none that is guessed first.

    An operator may ask for more than 8.
    """

    email: Email
    password: Password
    name: Name
    locale: Locale | None = None
    timezone: Timezone | None = None


class Activation(Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of the link in the mail."""

    token: Secret


class Activated(Struct, frozen=True):
    """The address that is confirmed now."""

    email: str


class ActivationMail(Struct, frozen=True, forbid_unknown_fields=True):
    """The address to mail to."""

    email: Email


class Accounts(Endpoint[UseCases]):
    """All accounts."""

    @operation("register", scope=None, status=202)
    async def post(self, body: Registration, once: Once[None]) -> None:
        """Register. The owner of the address gets a mail: with a link to confirm it, or, where it has an account, to tell."""
        once.answering(accepted)
        profile = Profile(body.name, body.locale or "en", body.timezone or "UTC")
        await self.uses.register(body.email, body.password, profile, once)


class Activations(Endpoint[UseCases]):
    """The links in activation mails."""

    @operation("activateAccount", scope=None, problems=(LinkGone,))
    async def post(self, body: Activation) -> Activated:
        """Confirm an address with the secret that was mailed there. It works once."""
        return Activated((await self.uses.activate(body.token)).email)


class ActivationMails(Endpoint[UseCases]):
    """Activation mails."""

    @operation("mailActivation", scope=None, status=202)
    async def post(self, body: ActivationMail, once: Once[None]) -> None:
        """Mail the link again, where the address has an account that is not active yet."""
        once.answering(accepted)
        await self.uses.order_link(Wanted.ACTIVATION, body.email, once)


def accepted(_: None) -> Answer[None]:
    """The answer that tells nothing but that we heard."""
    return Answer(None)


ROUTES = (
    Route("/api/v1/accounts", Accounts),
    Route("/api/v1/accounts/activation", Activations),
    Route("/api/v1/accounts/activation-mails", ActivationMails),
)
