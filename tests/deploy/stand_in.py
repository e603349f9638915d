"""A service small enough to know by heart, started as Circus starts ours: `stand_in.py NAME --fd N --internal-fd N`.

It tells what reached it, so that tests see what the door did to a request. SIGTERM: no new connections, finish, leave.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler

UNDER_WAY = set()
GO_ON = asyncio.Queue()


class Echo(RequestHandler):
    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def initialize(self, name):
        self.name = name

    def prepare(self):
        UNDER_WAY.add(self)

    def on_finish(self):
        UNDER_WAY.discard(self)

    async def answer(self, *_):
        if self.get_query_argument("go_on", ""):
            GO_ON.put_nowait(self)
        if begun := self.get_query_argument("begun", ""):
            Path(begun).touch()
        await asyncio.sleep(float(self.get_query_argument("sleep_s", "0")))
        self.set_header("ETag", '"1-json"')
        if long := int(self.get_query_argument("location_chars", "0")):
            self.set_header("Location", "/" + "x" * long)
        self.write(
            {
                "service": self.name,
                "pid": os.getpid(),
                "method": self.request.method,
                "uri": self.request.uri,
                "headers": dict(self.request.headers.get_all()),
                "body_bytes": len(self.request.body),
                "filling": "x" * int(self.get_query_argument("fill", "0")),
            }
        )

    get = head = post = put = patch = delete = options = answer


class Stream(Echo):
    async def get(self, *_):
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        for number in range(3):
            self.write(f"id: {number}\ndata: {{}}\n\n")
            await self.flush()
            await GO_ON.get()


class Page(RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write("<!doctype html><title>Runnerly</title>")


class Heartbeat(RequestHandler):
    def initialize(self, name):
        self.name = name

    def get(self):
        self.write({"status": "ok", "checks": {f"{self.name}.database": "ok"}})


class Die(RequestHandler):
    """Ends its process in the middle of the answer, the way `kill -9` does."""

    async def get(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)

    post = get


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    for option in ("--fd", "--internal-fd"):
        parser.add_argument(option, type=int)
    for option in ("--path", "--internal-path"):
        parser.add_argument(option)
    given = parser.parse_args()
    application = Application(
        [
            ("/__(?:lb)?heartbeat__", Heartbeat, {"name": given.name}),
            ("/", Page),
            ("/api/v1/.*/events", Stream, {"name": given.name}),
            ("/api/v1/.*/death", Die),
            (".*", Echo, {"name": given.name}),
        ]
    )
    server = HTTPServer(application, xheaders=True, max_body_size=3 * 1024**3)
    for fd, path in ((given.fd, given.path), (given.internal_fd, given.internal_path)):
        if fd is not None:
            listening = socket.socket(fileno=fd)
            listening.setblocking(False)
            server.add_socket(listening)
        elif path:
            server.add_socket(bind_unix_socket(path))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.stop()
    quiet_since = None
    loop = asyncio.get_running_loop()
    while quiet_since is None or loop.time() - quiet_since < 0.3:
        await asyncio.sleep(0.02)
        quiet_since = None if UNDER_WAY else (quiet_since or loop.time())
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
