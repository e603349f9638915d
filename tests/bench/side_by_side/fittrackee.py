"""The other side: FitTrackee as its documentation installs and runs it, on ports and in a folder of its own."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import secrets
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.processes import Child, accepts, free_port, wait_until

VERSION = "1.3.6"
USER, EMAIL, PASSWORD = "probe", "probe@example.com", secrets.token_urlsafe(18)
TILES = """
daemon off; pid {home}/tiles.pid; error_log {home}/tiles.err warn;
events {{ worker_connections 256; }}
http {{
  access_log off; types {{ image/png png; }}
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{
    listen 127.0.0.1:{port}; root {home};
    location / {{ try_files /tile.png =404; add_header Cache-Control "public, max-age=604800"; }}
  }}
}}
"""
FILL = (Path(__file__).with_name("fittrackee_fill.sql")).read_text()


class FitTrackee:
    """A FitTrackee with two workers. `venv` is where it is, or will be, installed."""

    name = "FitTrackee"

    def __init__(self, home: Path, venv: Path, *, workers: int) -> None:
        self.home, self._venv, self.workers = home, venv, workers
        home.mkdir(parents=True)
        home.chmod(0o755)  # the database's own user goes through here
        self.port, self._postgres_port = free_port(), free_port()
        self._redis_port, self._tiles_port = free_port(), free_port()
        self._postgres = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))
        self._children: list[Child] = []
        self._key = secrets.token_hex(32)
        self._auth: dict[str, str] = {}
        self._sport = 0
        self.one = ""

    @property
    def _environ(self) -> dict[str, str]:
        return {
            "FLASK_SKIP_DOTENV": "1",
            "FLASK_APP": "fittrackee",
            "APP_SECRET_KEY": self._key,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "APP_WORKERS": str(self.workers),
            "UPLOAD_FOLDER": str(self.home / "uploads"),
            "STATICMAP_CACHE_DIR": str(self.home / "maps"),
            "UI_URL": f"http://127.0.0.1:{self.port}",
            "DATABASE_URL": f"postgresql://fittrackee:fittrackee@127.0.0.1:{self._postgres_port}/fittrackee",
            "REDIS_URL": f"redis://127.0.0.1:{self._redis_port}",
            "WORKERS_PROCESSES": "1",
            "EMAIL_URL": "",
            "TILE_SERVER_URL": f"http://127.0.0.1:{self._tiles_port}/{{z}}/{{x}}/{{y}}.png",
        }

    def install(self) -> None:
        """Install it from PyPI, where it is not there yet."""
        if (self._venv / "bin" / "gunicorn").exists():
            return
        subprocess.run([sys.executable, "-m", "venv", str(self._venv)], check=True)
        subprocess.run([str(self._venv / "bin" / "pip"), "install", "-q", f"fittrackee=={VERSION}"], check=True)

    def start(self) -> None:
        """Start PostgreSQL, Redis and FitTrackee, with a user."""
        self.install()
        self._start_postgres()
        redis = ("redis-server", "--port", str(self._redis_port), "--bind", "127.0.0.1", "--save", "")
        self._children.append(Child((*redis, "--dir", str(self.home)), log=self.home / "redis.log"))
        wait_until(lambda: accepts(self._redis_port), within_s=20, what="the start of Redis")
        self._start_tiles()
        self._sql("CREATE USER fittrackee WITH PASSWORD 'fittrackee'", database="postgres")
        self._sql("CREATE SCHEMA fittrackee AUTHORIZATION fittrackee", database="postgres")
        self._sql("CREATE DATABASE fittrackee OWNER fittrackee", database="postgres")
        self._sql("CREATE EXTENSION IF NOT EXISTS postgis")
        self._run("ftcli", "db", "upgrade")
        self._run("ftcli", "users", "create", USER, "--email", EMAIL, "--password", PASSWORD)
        gunicorn = (str(self._venv / "bin" / "gunicorn"), "-b", f"127.0.0.1:{self.port}", "fittrackee:create_app()")
        self._children.append(
            Child(
                (*gunicorn, f"--workers={self.workers}", "--timeout=60"),
                log=self.home / "gunicorn.log",
                env=self._environ,
            )
        )
        tasks = (str(self._venv / "bin" / "dramatiq"), "fittrackee.tasks:broker", "--processes=1")
        self._children.append(Child(tasks, log=self.home / "tasks.log", env=self._environ))
        wait_until(self._answers, within_s=60, what="the start of FitTrackee")

    def _start_postgres(self) -> None:
        data = self.home / "postgres"
        as_owner: tuple[str, ...] = ()
        if os.getuid() == 0:  # PostgreSQL refuses to be root
            data.mkdir()
            owner = pwd.getpwnam("postgres")
            os.chown(data, owner.pw_uid, owner.pw_gid)
            as_owner = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        where = ("-D", str(data))
        new = (
            str(self._postgres / "initdb"),
            *where,
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
        )
        subprocess.run([*as_owner, *new], check=True, stdout=subprocess.DEVNULL, cwd="/")
        listens = ("-p", str(self._postgres_port), "-c", "listen_addresses=127.0.0.1", "-k", str(data))
        command = (*as_owner, str(self._postgres / "postgres"), *where, *listens)
        self._children.append(Child(command, log=self.home / "postgres.log"))
        wait_until(lambda: accepts(self._postgres_port), within_s=30, what="the start of PostgreSQL")
        wait_until(
            lambda: self._sql("SELECT 1", database="postgres", check=False), within_s=30, what="PostgreSQL's answer"
        )

    def _start_tiles(self) -> None:
        """It draws a map of every upload: with tiles from next door, as if they were all cached."""
        (self.home / "tile.png").write_bytes(a_tile())
        config = self.home / "tiles.conf"
        config.write_text(TILES.format(home=self.home, port=self._tiles_port))
        self._children.append(Child(("/usr/sbin/nginx", "-c", str(config)), log=self.home / "tiles.log"))
        wait_until(lambda: accepts(self._tiles_port), within_s=20, what="the start of the tile server")

    def _sql(self, statement: str, *, database: str = "fittrackee", check: bool = True, **values: int) -> bool:
        where = ("-h", "127.0.0.1", "-p", str(self._postgres_port), "-U", "postgres", "-d", database)
        told = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
        command = ["psql", "-qAt", "-v", "ON_ERROR_STOP=1", *where, *told]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise SystemExit(done.stderr)
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._venv / "bin" / program), *arguments]
        environ = {**os.environ, **self._environ}
        done = subprocess.run(command, env=environ, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)

    def _answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self._ask("GET", "/api/ping")[0] == 200
        return False

    def _ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(
                method, path, body, {**self._auth, **{k.replace("_", "-"): v for k, v in headers.items()}}
            )
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _json(self, path: str) -> Any:
        status, _, body = self._ask("GET", path)
        assert status == 200, body
        return json.loads(body)["data"]

    def signed_in(self) -> None:
        """Sign in for the uploads that come."""
        body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
        self._auth = {}
        status, headers, answer = self._ask("POST", "/api/auth/login", body, Content_Type="application/json")
        assert status == 200, answer
        cookies = dict(value.split(";")[0].split("=", 1) for name, value in headers if name.lower() == "set-cookie")
        self._auth = {
            "Cookie": f"access_token_cookie={cookies['access_token_cookie']}",
            "X-CSRF-TOKEN": cookies["csrf_access_token"],
        }
        self._sport = next(sport["id"] for sport in self._json("/api/sports")["sports"] if sport["label"] == "Running")

    def fill(self, number: int) -> None:
        """Have so many workouts over ten years beside those that were uploaded, written into its database."""
        self._sql(FILL, n=number)

    def look(self) -> None:
        """Choose the workout that is read: one that came from a file."""
        self.signed_in()
        workouts = self._json("/api/workouts?per_page=50")["workouts"]
        self.one = next(workout["id"] for workout in workouts if workout["with_file"])

    def pages(self) -> Mapping[str, str]:
        """What is read."""
        base = f"http://127.0.0.1:{self.port}/api"
        return {
            "list": f"{base}/workouts?per_page=10",
            "one": f"{base}/workouts/{self.one}",
            "statistics": f"{base}/stats/{USER}/by_time?time=month",
            "streams": f"{base}/workouts/{self.one}/chart_data",
        }

    def headers(self) -> Mapping[str, str]:
        """A fresh sign-in."""
        self.signed_in()
        return {"Cookie": self._auth["Cookie"]}

    def upload(self, name: str, content: bytes) -> int:
        """Upload one file."""
        boundary = secrets.token_hex(16)
        field = f'--{boundary}\r\nContent-Disposition: form-data; name="data"\r\n\r\n{{"sport_id": {self._sport}}}\r\n'
        file = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = (field + file).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self._ask("POST", "/api/workouts", body, Content_Type=f"multipart/form-data; boundary={boundary}")[0]

    def roots(self) -> Sequence[int]:
        """PostgreSQL, Redis, the tiles, gunicorn, and the process of its background tasks."""
        return [child.pid for child in self._children]

    def stop(self) -> None:
        """End it."""
        for child in reversed(self._children):
            child.stop()
        self._children.clear()


def a_tile() -> bytes:
    """A PNG of 256 by 256 grey points (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size, grey = 256, 0
    header = struct.pack(">IIBBBBB", size, size, 8, grey, 0, 0, 0)
    lines = (b"\0" + b"\xdd" * size) * size
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
