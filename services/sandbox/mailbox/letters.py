"""From the bytes of a message to what a reader sees. Pure, and it forgives: a mailbox shows what it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser

from msgspec import Struct, field

from services.sandbox.mailbox.folder import Stored

LONGEST_BODY = 200_000  # characters of a body that the list shows
POLICY = policy.default.clone(raise_on_defect=False)


class Attachment(Struct, frozen=True):
    """A file that came with a message; `url` is where its bytes are."""

    name: str
    type: str
    size: int
    url: str


class Letter(Struct, frozen=True):
    """A message as it is read. `to` is the envelope's recipients, joined by commas; a missing body is None."""

    id: str
    to: str
    from_: str = field(name="from")
    subject: str
    text: str | None
    html: str | None
    attachments: list[Attachment]
    received_at: datetime


def read_letter(stored: Stored) -> Letter:
    """What a stored message says."""
    message = _parse(stored.content)
    return Letter(
        id=stored.id,
        to=", ".join(stored.recipients),
        from_=_header(message, "From"),
        subject=_header(message, "Subject"),
        text=_shortened(_body(message, "plain")),
        html=_shortened(_body(message, "html")),
        attachments=[
            Attachment(name, kind, len(file), f"/mailbox/messages/{stored.id}/attachments/{place}")
            for place, (name, kind, file) in enumerate(_attachments(message))
        ],
        received_at=stored.received_at,
    )


def read_html(stored: Stored) -> str | None:
    """The whole HTML body of a stored message, or None."""
    return _body(_parse(stored.content), "html")


def read_attachment(stored: Stored, place: int) -> tuple[str, str, bytes] | None:
    """The name, media type and bytes of the attachment at this place, or None where there is none."""
    attachments = list(_attachments(_parse(stored.content)))
    return attachments[place] if 0 <= place < len(attachments) else None


def _parse(content: bytes) -> EmailMessage:
    return BytesParser(policy=POLICY).parsebytes(content)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (MessageError, ValueError, LookupError, AttributeError, TypeError):  # the parser stumbles on some garbage
        return "(unreadable)"


def _body(message: EmailMessage, kind: str) -> str | None:
    for part in message.walk():
        if part.get_content_type() == f"text/{kind}" and not _is_attachment(part):
            return _decoded(part).replace("\r\n", "\n")
    return None


def _shortened(body: str | None) -> str | None:
    return None if body is None else body[:LONGEST_BODY]


def _attachments(message: EmailMessage) -> Iterator[tuple[str, str, bytes]]:
    for part in message.walk():
        if not part.is_multipart() and _is_attachment(part):
            payload = part.get_payload(decode=True)
            yield (
                part.get_filename() or "unnamed",
                part.get_content_type(),
                payload if isinstance(payload, bytes) else b"",
            )


def _is_attachment(part: EmailMessage) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_content_maintype() not in {"text", "multipart"}


def _decoded(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return str(payload)
    try:
        return payload.decode(part.get_content_charset("utf-8"), errors="replace")
    except LookupError:  # a charset that nobody knows
        return payload.decode("utf-8", errors="replace")
