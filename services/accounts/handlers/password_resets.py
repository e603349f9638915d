"""A new password for who has forgotten the old one."""

from __future__ import annotations

from msgspec import Struct

from services.accounts.domain.links import EmailTaken, LinkGone
from services.accounts.handlers.accounts import Email, Password, Secret, accepted
from services.accounts.usecases import UseCases
from services.accounts.usecases.mail_link import Wanted
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation


class Forgotten(Struct, frozen=True, forbid_unknown_fields=True):
    """The address of the account."""

    email: Email


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of the link in the mail, and the new password, with the rules of registering."""

    token: Secret
    password: Password


class PasswordResets(Endpoint[UseCases]):
    """Links to choose a new password."""

    @operation("mailPasswordReset", scope=None, status=202)
    async def post(self, body: Forgotten, once: Once[None]) -> None:
        """Mail a link to choose a new password, where the address has an account."""
        once.answering(accepted)
        await self.uses.order_link(Wanted.PASSWORD_RESET, body.email, once)


class CompletedReset(Endpoint[UseCases]):
    """The use of such a link."""

    @operation("resetPassword", scope=None, problems=(LinkGone, EmailTaken))
    async def post(self, body: NewPassword) -> None:
        """Choose a new password with the secret that was mailed. It works once, and ends all sessions and what apps may do."""
        await self.uses.reset_password(body.token, body.password)


ROUTES = (
    Route("/api/v1/accounts/password-resets", PasswordResets),
    Route("/api/v1/accounts/password-resets/complete", CompletedReset),
)
