"""What the mailer is told by the environment."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.settings import env


class Settings(Struct, frozen=True):
    """How mail goes out."""

    smtp_url: Annotated[
        str,
        env(
            "SMTP_URL",
            "The mail server: smtp://, smtp+starttls:// or smtps://, [user:password@]host; the sandbox's unless set",
            secret=True,
        ),
    ] = ""
    mail_from: Annotated[str, Meta(description="The address that our mail is from")] = "no-reply@runnerly.test"
    mail_from_name: Annotated[str, Meta(max_length=60, description="The name that our mail is from")] = "Runnerly"
    mail_senders: Annotated[int, Meta(ge=1, le=64, description="How many mails a worker sends at once")] = 4
    mail_give_up_hours: Annotated[
        float, Meta(gt=0, le=120, description="For how long a mail is tried again after temporary failures")
    ] = 24.0
    mail_kept_days: Annotated[
        float, Meta(gt=0, le=365, description="How long the record of a delivery is kept, and an address suppressed")
    ] = 30.0
