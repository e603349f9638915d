"""The SMTP server that carries our mail (RFC 5321), named by `SMTP_URL`.

`smtps://` is TLS from the start, `smtp+starttls://` insists on STARTTLS, `smtp://` takes STARTTLS where it is offered
(and not on the loopback). Certificates are always checked. A password is never sent in the clear to another machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException
from msgspec import Struct

from services.chassis.settings import WrongSetting
from services.mailer.domain.messages import About, Reply

SEND_TIMEOUT_S = 60.0
CHECK_TIMEOUT_S = 5.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

Security = Literal["tls", "starttls", "starttls-if-offered", "none"]


class SmtpServer(Struct, frozen=True):
    """Where the server is, and how we speak to it."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


def read_url(url: str) -> SmtpServer:
    """The server in an `SMTP_URL`. Raises `WrongSetting`, without the URL's password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WrongSetting("Set SMTP_URL to smtp[s]://[user:password@]host[:port]") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise WrongSetting("Set SMTP_URL to smtp://, smtp+starttls:// or smtps://, [user:password@]host[:port]")
    security = _security(parts.scheme, parts.hostname)
    if parts.username and security == "starttls-if-offered":
        raise WrongSetting("SMTP_URL has a password: set its scheme to smtps:// or smtp+starttls://, to keep it secret")
    return SmtpServer(
        parts.hostname,
        port or PORTS[parts.scheme],
        security,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


class SmtpClient:
    """Hands messages over, one connection each."""

    def __init__(self, server: SmtpServer, *, our_name: str, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._server, self._our_name, self._timeout_s = server, our_name, timeout_s

    async def carry(self, message: EmailMessage, *, sender: str, recipient: str) -> Reply:
        """Hand over one message for one recipient, and return what the server made of it. It does not raise."""
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.connect()
                return await _hand_over(client, message, sender, recipient)
        except SMTPResponseException as refusal:
            return Reply(refusal.code, refusal.message, About.CONNECTION)
        except (SMTPException, OSError, TimeoutError) as failure:
            return Reply(None, f"{type(failure).__name__}: {failure}", About.CONNECTION)
        finally:
            await _say_goodbye(client)

    async def check(self) -> None:
        """Return when the server greets us; raises what it fails with."""
        client = self._client()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await client.connect()
        finally:
            await _say_goodbye(client)

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        start_tls = {"starttls": True, "starttls-if-offered": None}.get(server.security, False)
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=start_tls,
            local_hostname=self._our_name,
            timeout=self._timeout_s,
        )


async def _hand_over(client: aiosmtplib.SMTP, message: EmailMessage, sender: str, recipient: str) -> Reply:
    try:
        _, reply = await client.send_message(message, sender=sender, recipients=[recipient])
    except aiosmtplib.SMTPRecipientsRefused as refused:
        refusal = refused.recipients[0]
        return Reply(refusal.code, refusal.message, About.RECIPIENT)
    except aiosmtplib.SMTPDataError as refusal:
        return Reply(refusal.code, refusal.message, About.MESSAGE)
    except aiosmtplib.SMTPNotSupported as unable:  # the server can't take an address of this script
        return Reply(553, f"5.6.7 {unable}", About.MESSAGE)
    return Reply(250, reply, About.MESSAGE)


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """QUIT, and close; whatever goes wrong here changes nothing of what was answered before."""
    if client.is_connected:
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            await client.quit(timeout=1.0)
    client.close()


def _security(scheme: str, host: str) -> Security:
    if scheme == "smtps":
        return "tls"
    if scheme == "smtp+starttls":
        return "starttls"
    return "none" if _is_loopback(host) else "starttls-if-offered"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
