"""The door that mail comes in by: an SMTP server on the loopback, which takes everything and relays nothing.

It answers 250 after the message is on disk (RFC 5321, 4.2.5: from then on it is ours to keep). Faults strike at the
end of DATA, the place where a sender has most to lose; a mailbox that is `down` refuses connections.
"""

from __future__ import annotations

import asyncio
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.sandbox.faults import Fault, Faults
from services.sandbox.mailbox.folder import Folder

PARTY = "mailbox"
TEMPORARY = 451
LARGEST_MESSAGE = 32 * 1024 * 1024
LONGEST_SILENCE_S = 60.0


class Postman:
    """Takes the messages of one SMTP server into the folder (the handler of aiosmtpd's hooks)."""

    def __init__(self, folder: Folder, faults: Faults) -> None:
        self._folder, self._faults = folder, faults

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the message and say so; or fail as the knobs have it."""
        status = await self._faults.strike(PARTY, TEMPORARY)
        if status is not None:
            return f"{status} {status // 100}.3.0 The mailbox is playing up, as it was told to"
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            await asyncio.to_thread(self._folder.keep, envelope.mail_from or "", envelope.rcpt_tos, content)
        except OSError:
            return "452 4.3.1 The message could not be kept"
        return "250 2.0.0 Kept"


class Connection(SMTP):
    """One client; the door knows who is there."""

    def __init__(self, present: set[Connection], postman: Postman) -> None:
        super().__init__(
            postman,
            hostname="mailbox.runnerly.test",
            ident="Runnerly's sandbox",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_MESSAGE,
            timeout=LONGEST_SILENCE_S,
            loop=asyncio.get_running_loop(),
        )
        self._present = present

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        super().connection_made(transport)
        self._present.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Somebody left."""
        super().connection_lost(error)
        self._present.discard(self)

    def hang_up(self) -> None:
        """End the conversation."""
        if self.transport is not None:
            self.transport.close()


class MailboxDoor:
    """The listening SMTP server; closed while the mailbox is down."""

    def __init__(self, folder: Folder, faults: Faults, *, host: str, port: int) -> None:
        self._postman = Postman(folder, faults)
        self._host, self.port = host, port
        self._server: asyncio.Server | None = None
        self._present: set[Connection] = set()
        self._lock = asyncio.Lock()
        faults.follow(PARTY, self._follow)

    async def open(self) -> None:
        """Listen; port 0 takes a free one and keeps it. Raises `OSError` when the port is taken."""
        async with self._lock:
            if self._server is not None:
                return
            connection = partial(Connection, self._present, self._postman)
            self._server = await asyncio.get_running_loop().create_server(connection, self._host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and hang up on whoever is there: a message not answered for is the sender's to keep."""
        async with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None
            for connection in tuple(self._present):
                connection.hang_up()

    async def _follow(self, fault: Fault) -> None:
        await (self.close() if fault.down else self.open())
