"""What one signs in with: change the password, change the address, and get back in after somebody guessed too often."""

from __future__ import annotations

from msgspec import Struct

from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.links import EmailTaken, LinkGone
from services.accounts.handlers.accounts import Activated, Email, Password, Secret, accepted
from services.accounts.usecases import UseCases
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation
from services.chassis.problems import NotFound


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The password so far, and the new one, with the rules of registering."""

    old: Password
    new: Password


class EmailChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The new address, and the password, to show that it is the owner who asks."""

    email: Email
    password: Password


class LinkSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of the link in the mail."""

    token: Secret


class OwnPassword(Endpoint[UseCases]):
    """One's own password."""

    @operation("changeOwnPassword", scope="account", problems=(TooManyAttempts, NotFound))
    async def post(self, body: PasswordChange) -> None:
        """Change one's password. It ends all other sessions, and what apps were let do; the owner is told by mail."""
        await self.uses.change_password(
            self.caller.sub, body.old, body.new, client_ip=self.client_ip, session=self.caller.session
        )


class OwnEmail(Endpoint[UseCases]):
    """One's own address."""

    @operation("changeOwnEmail", scope="account", status=202, problems=(TooManyAttempts, NotFound))
    async def post(self, body: EmailChange, once: Once[None]) -> None:
        """Ask for another address. It gets a link to confirm it; the present one is told, with a link to undo it."""
        once.answering(accepted)
        await self.uses.ask_for_email_change(
            self.caller.sub, body.email, body.password, client_ip=self.client_ip, once=once
        )


class ConfirmedEmail(Endpoint[UseCases]):
    """The use of the link that was mailed to a new address."""

    @operation("confirmOwnEmail", scope=None, problems=(LinkGone, EmailTaken))
    async def post(self, body: LinkSecret) -> Activated:
        """Make the new address one's own with the secret that was mailed there; who has it needs no session."""
        return Activated((await self.uses.confirm_email(body.token)).email)


class Unlocks(Endpoint[UseCases]):
    """The way out for who has to wait."""

    @operation("unlockAccount", scope=None, problems=(LinkGone,))
    async def post(self, body: LinkSecret) -> None:
        """Sign in again at once, with the secret that was mailed when an account was locked by too many failures."""
        await self.uses.unlock(body.token)


ROUTES = (
    Route("/api/v1/accounts/me/password", OwnPassword),
    Route("/api/v1/accounts/me/email", OwnEmail),
    Route("/api/v1/accounts/me/email/confirm", ConfirmedEmail),
    Route("/api/v1/accounts/unlocks", Unlocks),
)
