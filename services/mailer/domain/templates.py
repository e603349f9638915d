"""The mails there are, and the data each one needs. The words are in `services/mailer/templates/`.

No mail to an address that nobody has confirmed carries text that its sender chose: a sign-up form would be a way to
have us send anybody anything.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from services.chassis.problems import Invalid

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{20,200}$", description="A secret that the mail's link carries")]
Address = Annotated[
    str, Meta(min_length=3, max_length=254, description="Only in mails to an address that is confirmed")
]
Hours = Annotated[int, Meta(ge=1, le=24 * 30)]


class MailedLink(Struct, frozen=True, forbid_unknown_fields=True):
    """What a mail needs that carries a secret link."""

    token: Token
    hours: Hours


class Recovery(Struct, frozen=True, forbid_unknown_fields=True):
    """Tells the address that an account has, or had, of another one, and carries the link to take the account back."""

    token: Token
    hours: Hours
    address: Address


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """What a mail needs that always says the same."""


class RecoveryCodeUsed(Struct, frozen=True, forbid_unknown_fields=True):
    """Tells that somebody signed in with a recovery code, and how many are left."""

    left: Annotated[int, Meta(ge=0, le=100)]


class NewDevice(Struct, frozen=True, forbid_unknown_fields=True):
    """Tells that somebody signed in from a device that was not seen before: what it is, and when, by the owner's clock."""

    device: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ·+?-]{1,100}$")]
    at: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2} \([\w/+-]{1,64}\)$")]


class ExportReady(Struct, frozen=True, forbid_unknown_fields=True):
    """Tells where somebody's own archive can be downloaded, who is signed in there."""

    export_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    days: Annotated[int, Meta(ge=1, le=30)]


class AccountDeleted(Struct, frozen=True, forbid_unknown_fields=True):
    """The receipt of a deletion: its id, and who has confirmed it."""

    reference: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    services: Annotated[str, Meta(pattern=r"^[a-z, ]{1,200}$")]


TemplateData = MailedLink | Recovery | Nothing | RecoveryCodeUsed | NewDevice | ExportReady | AccountDeleted

TEMPLATES: dict[str, type[TemplateData]] = {
    "activate": MailedLink,
    "already-registered": Nothing,
    "password-reset": MailedLink,
    "password-changed": Nothing,
    "confirm-email": MailedLink,
    "email-change-asked": Recovery,
    "email-changed": Recovery,
    "email-in-use": Nothing,
    "unlock": MailedLink,
    "second-factor-on": Nothing,
    "second-factor-off": Nothing,
    "recovery-codes-renewed": Nothing,
    "second-factor-guessed": Nothing,
    "recovery-code-used": RecoveryCodeUsed,
    "new-device": NewDevice,
    "export-ready": ExportReady,
    "account-deleted": AccountDeleted,
}


def check_data(template: str, data: dict[str, Any]) -> TemplateData:
    """The data of a mail, validated. Raises `Invalid` for an unknown template and for data that does not fit it."""
    if template not in TEMPLATES:
        raise Invalid.field("template", f"There is no template {template!r}; there are {', '.join(TEMPLATES)}")
    try:
        return msgspec.convert(data, TEMPLATES[template])
    except msgspec.ValidationError as error:
        raise Invalid.field("data", str(error)) from error
