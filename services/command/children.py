"""The child processes of an embedded Runnerly: started again when they fall, ended in good order, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from services.chassis.settings import WrongSetting
from services.command.main import EXIT_CONFIGURATION

STOP_S = 4.0
FIRST_RESTART_S, LAST_RESTART_S = 0.2, 5.0
STEADY_S = 30.0
LOOK_S = 0.05


class Child:
    """One command, kept running until `stop`. It is a session of its own: Ctrl-C at the terminal reaches only the parent."""

    def __init__(self, name: str, command: Sequence[str], *, environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command = command
        self._environ = dict(environ)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and from now on start it again whenever it ends."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.command.tethered",
                str(os.getpid()),
                *self._command,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = FIRST_RESTART_S
        while self._process is not None:
            began = loop.time()
            await self._process.wait()
            wait_s = FIRST_RESTART_S if loop.time() - began > STEADY_S else min(2 * wait_s, LAST_RESTART_S)
            await asyncio.sleep(wait_s)
            await self._spawn()

    async def until(self, is_there: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
        """Wait until it is there. Raises `WrongSetting` where it is not in time, or said what to set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await is_there():
                    if self._process is not None and self._process.returncode == EXIT_CONFIGURATION:
                        raise WrongSetting(self._last_words())
                    await asyncio.sleep(LOOK_S)
                return
        raise WrongSetting(f"The {self.name} did not start within {within_s:.0f} s: see {self._log}")

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]

    async def stop(self) -> None:
        """End it: ask, and after a while insist."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def accepts(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def serves(port: int) -> bool:
    """Whether an HTTP server on a loopback port says that it is up."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            writer.write(b"GET /__lbheartbeat__ HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
    except OSError:
        return False
