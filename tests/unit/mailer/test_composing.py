"""The message on the wire: readable everywhere, recognisable when it comes twice, and closed to injection."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.addresses import parse_address
from services.chassis.problems import Invalid
from services.mailer.composing import Sender, compose
from services.mailer.rendering import Rendered

SENDER = Sender("Runnerly", parse_address("no-reply@runnerly.test"))
SAID = Rendered(
    "de",
    "Bestätige deine E-Mail-Adresse, und zwar möglichst bald, wenn es geht",
    "Grüße\n" + "x" * 200 + "\n",
    "<p>Grüße</p>\n",
)


def sent(to: str) -> tuple[bytes, EmailMessage]:
    message = compose(
        SAID,
        message_id="m-1",
        sender=SENDER,
        to=parse_address(to),
        written_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        trace_id="a" * 32,
    )
    wire = message.as_bytes()
    return wire, message_from_bytes(wire, policy=policy.default)  # type: ignore[return-value]


def test_a_mail_carries_both_bodies_and_the_headers_that_mail_systems_want() -> None:
    wire, message = sent("kim@runnerly.test")

    assert message["From"] == "Runnerly <no-reply@runnerly.test>"
    assert message["To"] == "kim@runnerly.test"
    assert message["Subject"] == SAID.subject
    assert message["Message-ID"] == "<m-1@runnerly.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == SAID.text  # type: ignore[union-attr]
    assert message.get_body(("html",)).get_content().replace("\r\n", "\n") == SAID.html  # type: ignore[union-attr]
    assert wire.isascii()
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1


def test_an_address_in_another_script_is_written_as_mail_servers_want_it() -> None:
    assert sent("kim@exämple.de")[1]["To"] == "kim@xn--exmple-cua.de"
    assert "zoë@runnerly.test".encode() in sent("zoë@runnerly.test")[0]


@given(
    st.builds(
        "{}@{}".format, st.text(min_size=1, max_size=30), st.sampled_from(["runnerly.test", "a.b\r\nBcc: c@d.test"])
    )
)
def test_no_address_that_we_take_adds_a_header(to: str) -> None:
    try:
        _, message = sent(to)
    except Invalid:
        return

    assert sorted({name.lower() for name in message.keys()}) == [  # noqa: SIM118 - a message is no dict
        "auto-submitted", "content-language", "content-type", "date", "from", "message-id", "mime-version",
        "subject", "to", "x-runnerly-trace",
    ]  # fmt: skip
    assert len(message.get_all("To", [])) == 1
