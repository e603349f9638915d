"""From what a mail says to the message that goes over the wire (RFC 5322, MIME).

No header takes text from outside but `To`, and that is an address we parsed; the standard library refuses line breaks
in any header. Our words are the only subject.
"""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from msgspec import Struct

from services.chassis.addresses import Address
from services.mailer.rendering import Rendered


class Sender(Struct, frozen=True):
    """Who our mail is from."""

    name: str
    address: Address


def compose(
    rendered: Rendered, *, message_id: str, sender: Sender, to: Address, written_at: datetime, trace_id: str | None
) -> EmailMessage:
    """The message. Its `Message-ID` is the same at every attempt, so that a receiver can tell a second copy."""
    policy = SMTP if to.local.isascii() else SMTPUTF8
    message = EmailMessage(policy)
    message["From"] = HeaderAddress(sender.name, addr_spec=sender.address.mailbox)
    message["To"] = HeaderAddress(username=to.local, domain=to.domain)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = f"<{message_id}@{sender.address.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: so that no out-of-office answers
    if trace_id:
        message["X-Runnerly-Trace"] = trace_id
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = rendered.locale  # last: making it multipart moves content headers to the first part
    return message
