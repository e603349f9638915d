"""Runners at their screens: each signs up once, then looks at runs, uploads some, and counts.

Against a Runnerly that runs already, with its sandbox (the activation mail arrives there): `make load`. It imports nothing
of the program: what it knows is the HTTP contract.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import HttpUser, between, events, task
from locust.exception import StopUser

from loadtests.gpx import a_run
from loadtests.shapes import SHAPES, StagedShape

SANDBOX = os.environ.get("RUNNERLY_SANDBOX_URL", f"http://127.0.0.1:{os.environ.get('RUNNERLY_SANDBOX_PORT', '8025')}")
RENEW_BEFORE_S = 30.0
MAIL_WITHIN_S = 60.0
PATIENCE = 20

if chosen := os.environ.get("RUNNERLY_LOAD_SHAPE"):

    class Shape(StagedShape):
        """The shape that was chosen; without one, `--users` and `--spawn-rate` say how many come how fast."""

        stages = SHAPES[chosen]


class Runner(HttpUser):
    """Somebody with an account, who mostly looks, and uploads a run now and then."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        self.email = f"load-{secrets.token_hex(8)}@example.com"
        self.password = secrets.token_urlsafe(16)
        self.activities: list[str] = []
        self.patiently("POST", "accounts", {"email": self.email, "password": self.password, "name": "Load Runner"}, 202)
        self.patiently("POST", "accounts/activation", {"token": self.activation_token()}, 200)
        self.take(self.patiently("POST", "sessions", {"email": self.email, "password": self.password}, 201))
        self.upload()

    # -- what they do

    @task(10)
    def list_runs(self) -> None:
        page = self.call("GET", "activities", params={"limit": 20})
        if page:
            self.activities = [item["id"] for item in page["items"]]

    @task(8)
    def open_run(self) -> None:
        if not self.activities:
            return
        path = f"activities/{random.choice(self.activities)}"
        self.call("GET", path, name="activities/{id}")
        self.call("GET", f"{path}/streams", name="activities/{id}/streams", params={"points": 300})

    @task(4)
    def count(self) -> None:
        self.call("GET", "stats", params={"by": random.choice(["week", "month", "year"])})

    @task(2)
    def upload(self) -> None:
        start = datetime.now(UTC) - timedelta(seconds=random.randrange(3600, 2 * 365 * 86_400))
        file = {"file": ("run.gpx", a_run(start, seconds=random.randrange(900, 5400), speed=random.uniform(2.2, 4.5)))}
        key = {"Idempotency-Key": secrets.token_hex(16)}
        made = self.call("POST", "activities", files=file, headers=key, expected={201, 409})
        if made and "id" in made:
            self.activities.append(made["id"])

    # -- how they ask

    def call(self, method: str, path: str, *, expected: set[int] | None = None, **options: Any) -> Any:
        """One call with the token, renewed in time. Whatever is not expected counts as a failure."""
        if time.monotonic() > self.renew_at:
            self.renew()
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        name = f"/api/v1/{options.pop('name', path)}"
        with self.client.request(
            method, f"/api/v1/{path}", name=name, headers=headers, catch_response=True, **options
        ) as answer:
            if answer.status_code in (expected or {200}):
                answer.success()
                return answer.json()
            answer.failure(f"{answer.status_code} {answer.text[:200]}")
        return None

    def renew(self) -> None:
        self.take(self.patiently("POST", "sessions/refresh", {"refresh_token": self.refresh_token}, 200))

    def take(self, tokens: dict[str, Any]) -> None:
        self.token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        self.renew_at = time.monotonic() + tokens["expires_in"] - RENEW_BEFORE_S

    def patiently(self, method: str, path: str, body: dict[str, Any], expected: int) -> Any:
        """A call as often as the door says "later": all our people come from one address, which it limits."""
        for _ in range(PATIENCE):
            with self.client.request(method, f"/api/v1/{path}", json=body, catch_response=True) as answer:
                if answer.status_code == expected:
                    answer.success()
                    return answer.json() if answer.content else None
                if answer.status_code != 429:
                    answer.failure(f"{answer.status_code} {answer.text[:200]}")
                    raise StopUser
                answer.success()
            time.sleep(float(answer.headers["Retry-After"]) + random.random())
        raise StopUser

    def activation_token(self) -> str:
        """The token of the link in the mail."""
        until = time.monotonic() + MAIL_WITHIN_S
        while time.monotonic() < until:
            answer = self.client.get(f"{SANDBOX}/mailbox/messages", params={"to": self.email}, name="(mailbox)")
            for message in answer.json()["items"] if answer.ok else []:
                if link := re.search(r"/activate\?token=([^\s\"&>]+)", message["text"]):
                    return link[1]
            time.sleep(0.5)
        events.user_error.fire(user_instance=self, exception=TimeoutError(f"no mail to {self.email}"), tb=None)
        raise StopUser


@events.quitting.add_listener
def fail_on_errors(environment: Any, **_: Any) -> None:
    """A run in which anything failed, or in which nothing was done, fails."""
    total = environment.stats.total
    if total.num_failures or environment.runner.exceptions or not total.num_requests:
        environment.process_exit_code = 1
