"""Handing mail to a server: what it answers comes back as it was, and nothing is ever raised."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

import pytest

from services.chassis.settings import WrongSetting
from services.mailer.clients.smtp import SmtpClient, SmtpServer, read_url
from services.mailer.domain.messages import About, Outcome, Reply, judge
from tests.support.mail import MailServer, mail_server
from tests.support.processes import free_port


def letter(to: str = "kim@runnerly.test") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@runnerly.test", to, "Hello"
    message.set_content("Hello\n.\nstill here\n")
    return message


async def carry(url: str, to: str = "kim@runnerly.test", timeout_s: float = 60.0) -> Reply:
    client = SmtpClient(read_url(url), our_name="runnerly.test", timeout_s=timeout_s)
    return await client.carry(letter(to), sender="no-reply@runnerly.test", recipient=to)


async def test_a_mail_that_is_taken_arrives_whole() -> None:
    async with mail_server() as server:
        reply = await carry(server.url)

    assert judge(reply) is Outcome.ACCEPTED
    [(recipient, message)] = server.taken
    assert recipient == "kim@runnerly.test"
    assert message.get_content().splitlines() == ["Hello", ".", "still here"]


@pytest.mark.parametrize(
    ("place", "answer", "about"),
    [
        ("at_recipient", "550 5.1.1 Nobody here", About.RECIPIENT),
        ("at_recipient", "450 4.2.1 Come back", About.RECIPIENT),
        ("at_data", "451 4.3.0 Later", About.MESSAGE),
        ("at_data", "554 5.7.1 No", About.MESSAGE),
    ],
)
async def test_a_refusal_says_what_it_is_about(place: str, answer: str, about: About) -> None:
    async with mail_server() as server:
        setattr(server, place, lambda _: answer)
        reply = await carry(server.url)

    assert reply == Reply(int(answer[:3]), answer[4:], about)
    assert server.taken == []


async def test_a_dead_server_is_a_temporary_failure() -> None:
    reply = await carry(f"smtp://127.0.0.1:{free_port()}")

    assert (reply.code, judge(reply)) == (None, Outcome.TEMPORARY)


async def test_a_server_that_says_nothing_is_a_temporary_failure() -> None:
    hung_up = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    reply = await carry(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.2)
    server.close()
    await hung_up.wait()

    assert (reply.code, judge(reply)) == (None, Outcome.TEMPORARY)


async def test_an_address_of_another_script_goes_to_a_server_that_can() -> None:
    async with mail_server() as able, mail_server(smtputf8=False) as unable:
        assert judge(await carry(able.url, "zoë@runnerly.test")) is Outcome.ACCEPTED
        assert judge(await carry(unable.url, "zoë@runnerly.test")) is Outcome.REFUSED

    assert able.taken[0][0] == "zoë@runnerly.test"


async def test_credentials_are_used_and_a_refused_login_waits_for_us_to_mend_it() -> None:
    async with mail_server(needs_login=True) as server:
        right = await carry(with_login(server, "p%40ss%3Aword"))
        wrong = await carry(with_login(server, "wrong"))

    assert judge(right) is Outcome.ACCEPTED
    assert (wrong.code, judge(wrong)) == (535, Outcome.TEMPORARY)
    assert server.logins[0] == (b"run", b"p@ss:word")


def with_login(server: MailServer, password: str) -> str:
    return f"smtp://run:{password}@127.0.0.1:{server.port}"


async def test_starttls_that_was_insisted_on_and_is_not_there_stops_the_mail() -> None:
    async with mail_server() as server:
        reply = await carry(server.url.replace("smtp://", "smtp+starttls://"))

    assert judge(reply) is Outcome.TEMPORARY
    assert server.taken == []


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:1025", SmtpServer("127.0.0.1", 1025, "none")),
        ("smtp://mail.test", SmtpServer("mail.test", 25, "starttls-if-offered")),
        ("smtps://run:a%40b@mail.test", SmtpServer("mail.test", 465, "tls", "run", "a@b")),
        ("smtp+starttls://run:x@mail.test", SmtpServer("mail.test", 587, "starttls", "run", "x")),
        ("smtp://run:x@localhost", SmtpServer("localhost", 25, "none", "run", "x")),
    ],
)
def test_the_url_says_where_and_how(url: str, server: SmtpServer) -> None:
    assert read_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.test",
        "http://mail.test",
        "smtp://",
        "smtp://mail.test:x",
        "smtp://run:hush@mail.test",
        "smtp://m.test/x",
    ],
)
def test_a_url_that_can_t_be_used_stops_the_start_and_keeps_the_secret(url: str) -> None:
    with pytest.raises(WrongSetting) as wrong:
        read_url(url)

    assert "SMTP_URL" in str(wrong.value)
    assert "hush" not in str(wrong.value)


def test_a_server_is_shown_without_its_password() -> None:
    assert "hush" not in repr(read_url("smtps://run:hush@mail.test"))
