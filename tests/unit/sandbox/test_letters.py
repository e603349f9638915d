"""Reading letters: what a person would see, whatever bytes came."""

from __future__ import annotations

from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.mailbox.folder import Stored
from services.sandbox.mailbox.letters import read_attachment, read_html, read_letter

ID = "1700000000123456789-00000000"


def stored(content: bytes) -> Stored:
    return Stored(ID, ("kim@runnerly.test",), content)


def letter_with_a_report() -> Stored:
    message = EmailMessage()
    message["From"] = "Rünnerly <no-reply@runnerly.test>"
    message["Subject"] = "Dein Bericht für März"
    message.set_content("Schöne Grüße")
    message.add_alternative("<p>Schöne Grüße</p>", subtype="html")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="März.pdf")
    return stored(bytes(message))


def test_a_letter_shows_both_bodies_and_its_attachments() -> None:
    letter = read_letter(letter_with_a_report())

    assert letter.to == "kim@runnerly.test"
    assert letter.from_ == "Rünnerly <no-reply@runnerly.test>"
    assert letter.subject == "Dein Bericht für März"
    assert letter.text == "Schöne Grüße\n"
    assert letter.html == "<p>Schöne Grüße</p>\n"
    assert [(file.name, file.type, file.size) for file in letter.attachments] == [("März.pdf", "application/pdf", 8)]
    assert letter.received_at.isoformat() == "2023-11-14T22:13:20.123456+00:00"


def test_an_attachment_comes_back_byte_for_byte() -> None:
    assert read_attachment(letter_with_a_report(), 0) == ("März.pdf", "application/pdf", b"%PDF-1.7")
    assert read_attachment(letter_with_a_report(), 1) is None


def test_a_body_that_is_not_there_is_none() -> None:
    letter = read_letter(stored(b"Subject: Plain\r\n\r\nHello"))

    assert (letter.text, letter.html) == ("Hello", None)
    assert read_html(stored(b"\r\n")) is None


def test_an_unknown_charset_is_read_as_well_as_can_be() -> None:
    letter = read_letter(stored(b"Content-Type: text/plain; charset=klingon\r\n\r\nnuqneH"))

    assert letter.text == "nuqneH"


HEADERS = st.sampled_from([b"From", b"Subject", b"Content-Type", b"Content-Disposition", b"Content-Transfer-Encoding"])
VALUES = st.one_of(
    st.binary(max_size=40).filter(lambda value: b"\n" not in value and b"\r" not in value),
    st.sampled_from([b"multipart/mixed; boundary=x", b"text/html; charset=utf-16", b"message/rfc822", b"base64",
                     b"attachment; filename*=utf-8''%E4", b"=?utf-8?b?w?=", b"a@b@c <", b"text/plain; charset"]),
)  # fmt: skip


@given(st.lists(st.tuples(HEADERS, VALUES), max_size=5), st.binary(max_size=80))
def test_no_bytes_can_break_the_reader(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    content = b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body

    letter = read_letter(stored(content))

    for place, _file in enumerate(letter.attachments):
        assert read_attachment(stored(content), place) is not None
