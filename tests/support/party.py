"""Another party on a real port of this machine, which behaves as badly as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """The bytes of an answer; underscores in header names are hyphens."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Party:
    """It does what `script` says for the first requests, then the last of them for ever."""

    script: list[bytes | Behaviour]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while request := await self._read(reader, connection):
                self.asked.append(request)
                step = self.script[min(len(self.asked), len(self.script)) - 1]
                if isinstance(step, bytes):
                    writer.write(step)
                else:
                    await step(request, writer)
                if writer.is_closing():
                    return
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Asked | None:
        start = await reader.readline()
        if not start:
            return None
        method, path, _ = start.decode().split(" ")
        headers = {}
        while (line := await reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Asked(method, path, headers, body, connection)


async def hang(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def break_off(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def close_silently(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def answer_and_close(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(answer())
    await writer.drain()
    writer.close()


@asynccontextmanager
async def party(*script: bytes | Behaviour) -> AsyncIterator[Party]:
    """A party on a free port, until the end of the block."""
    it = Party(list(script) or [answer()])
    handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers[asyncio.ensure_future(it.serve(reader, writer))] = writer

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    it.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield it
    finally:
        server.close()
        await asyncio.sleep(0.01)  # for connections that are just being accepted
        for task, writer in handlers.items():
            task.cancel()
            writer.close()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0)
