"""A plain HTTP client of Runnerly's API, as a script of a user would be; every refusal it meets must be a whole problem."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

PASSWORD = "a long enough pass phrase 42"
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "errors"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Api:
    """One client. `token` is sent when it is set; `strict` checks every answer of 400 and over to be a problem document."""

    port: int
    token: str | None = None
    strict: bool = True
    timeout_s: float = 30

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
    ) -> Answer:
        """One request. A body that is no bytes is sent as JSON."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        target = path if path.startswith("/") else f"/api/v1/{path}"
        if query:
            target += f"?{urlencode(query)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        with contextlib.closing(connection):
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        if self.strict and answer.status >= 400 and method != "HEAD":
            check_problem(answer)
        return answer

    def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST; keyword arguments are headers (`idempotency_key=`)."""
        return self.ask("POST", path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def upload(self, name: str, content: bytes, **headers: str) -> Answer:
        """Upload a file, as a browser's form does."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quote(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self.post("activities", body, content_type=f"multipart/form-data; boundary={boundary}", **headers)


def check_problem(answer: Answer) -> None:
    """The answer is a problem document as api.md has it, and tells nothing of our insides."""
    assert answer.headers["Content-Type"] == "application/problem+json", (answer.status, answer.body[:500])
    document = answer.json
    assert document.keys() >= PROBLEM_MEMBERS, document
    assert document["status"] == answer.status
    assert answer.status != 500, document
    assert re.fullmatch(r"\S*/[a-z0-9-]+", document["type"]), document
    assert all(set(error) == {"field", "message"} for error in document["errors"])
    assert ("Retry-After" in answer.headers) or answer.status not in {429, 503}
    assert b"Traceback" not in answer.body


@dataclass
class Person:
    """Somebody with an account."""

    api: Api
    email: str
    tokens: dict[str, Any] = field(default_factory=dict)

    def sign_in(self) -> Answer:
        """Sign in, and keep the tokens."""
        answer = Api(self.api.port).post("sessions", {"email": self.email, "password": PASSWORD})
        assert answer.status == 201, answer.body
        self.tokens = answer.json
        self.api.token = self.tokens["access_token"]
        return answer


def register(port: int, mailbox: Mailbox, email: str | None = None) -> Person:
    """A new person: registered, activated by the link in their mail, signed in."""
    person = Person(Api(port), email or f"runner-{secrets.token_hex(6)}@example.com")
    answer = person.api.post("accounts", {"email": person.email, "password": PASSWORD, "name": "Rosa Läufer"})
    assert answer.status == 202, answer.body
    activated = person.api.post("accounts/activation", {"token": mailbox.activation_token(person.email)})
    assert (activated.status, activated.json) == (200, {"email": person.email}), activated.body
    person.sign_in()
    return person


@dataclass(frozen=True)
class Mailbox:
    """The sandbox's mailbox, over HTTP."""

    port: int

    def messages(self, to: str, at_least: int = 0, within_s: float = 60) -> list[dict[str, Any]]:
        """The mails to an address, newest first, as soon as there are that many."""
        until = time.monotonic() + within_s
        while len(found := Api(self.port, strict=False).get("/mailbox/messages", to=to).json["items"]) < at_least:
            assert time.monotonic() < until, f"{len(found)} mails to {to} within {within_s} s, not {at_least}"
            time.sleep(0.1)
        return list(found)

    def newest(self, to: str) -> dict[str, Any]:
        """The newest mail to an address, as soon as there is one."""
        return self.messages(to, at_least=1)[0]

    def activation_token(self, to: str) -> str:
        """The token in the newest mail's link."""
        text = self.newest(to)["text"]
        link = re.search(r"/activate\?token=([^\s\"&>]+)", text)
        assert link, text
        return link[1]
