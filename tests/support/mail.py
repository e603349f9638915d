"""A mail server for tests: a real SMTP server on a free port, that takes mail or refuses it as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Answers = Callable[[str], str | None]


class MailServer:
    """Takes mail into `taken`. `at_recipient` and `at_data` may answer something else, told the (last) recipient."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.tries = 0
        self.logins: list[tuple[bytes, bytes]] = []
        self.at_recipient: Answers = lambda _: None
        self.at_data: Answers = lambda _: None
        self.hold: asyncio.Event | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """What to set `SMTP_URL` to."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self.at_recipient(address)
        if refusal:
            self.tries += 1
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.tries += 1
        if self.hold:
            await self.hold.wait()
        recipient = envelope.rcpt_tos[-1]
        refusal = self.at_data(recipient)
        if refusal:
            return refusal
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append((recipient, message))  # type: ignore[arg-type]
        return "250 2.0.0 Taken"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"p@ss:word", handled=False)


@asynccontextmanager
async def mail_server(*, smtputf8: bool = True, needs_login: bool = False) -> AsyncIterator[MailServer]:
    """A mail server that listens while inside; outside its port refuses connections."""
    server, loop = MailServer(), asyncio.get_running_loop()
    connections: list[SMTP] = []

    def connection() -> SMTP:
        connections.append(
            SMTP(
                server,
                hostname="mail.test",
                enable_SMTPUTF8=smtputf8,
                authenticator=server.authenticate if needs_login else None,
                auth_require_tls=False,
                loop=loop,
            )
        )
        return connections[-1]

    listening = await loop.create_server(connection, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        while any(each.transport for each in connections):
            for each in connections:
                if each.transport:
                    each.transport.close()
            await asyncio.sleep(0.001)
