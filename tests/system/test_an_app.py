"""A third party's app from the outside, as its author would write it: Authlib, and a browser that follows addresses."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session

from tests.support.api import PASSWORD, Answer, Api, Person

ROOT = Path(__file__).parents[2]
BACK = "https://app.example/back"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """A browser as far as this needs one: it keeps cookies and sends forms."""

    api: Api
    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, url: str, form: dict[str, str] | None = None) -> Answer:
        """Open an address of this site, or send it a form; redirects are left to the test."""
        parts = urlsplit(url)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **SAME_ORIGIN}
        if form is None:
            return self.api.ask("GET", f"{parts.path}?{parts.query}", headers=headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.api.ask("POST", parts.path, urlencode(form).encode(), headers=headers)


@pytest.fixture
def browser(person: Person) -> Browser:
    """The person's, signed in by cookie."""
    api = Api(person.api.port, strict=False)
    answer = api.post("sessions", {"email": person.email, "password": PASSWORD, "mode": "cookie"}, **SAME_ORIGIN)
    assert answer.status == 201, answer.body
    set_cookies = answer.headers.get_all("Set-Cookie") or []
    return Browser(api, dict(cookie.partition(";")[0].split("=", 1) for cookie in set_cookies))


def yes_to(browser: Browser, url: str) -> str:
    """The address that a person comes back at who says yes."""
    page = browser.open(url)
    assert (page.status, "A map" in page.body.decode()) == (200, True)
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action" not in policy, "the door adds none either: the app may send the browser on"
    found = re.search(r'name="question" value="([^"]+)"', page.body.decode())
    assert found
    answered = browser.open(url, {"question": unescape(found[1]), "answer": "allow"})
    assert answered.status == 303, answered.body[:300]
    return answered.headers["Location"]


def the_app_of_the_book(browser: Browser, client: dict[str, Any], runnerly: str) -> OAuth2Session:
    """The app whose code docs/apps.md shows, when it has done all of that."""
    code = re.search(r"```python\n(.+?)```", (ROOT / "docs" / "apps.md").read_text(), re.DOTALL)
    assert code
    names: dict[str, Any] = {
        "CLIENT_ID": client["id"],
        "CLIENT_SECRET": client["secret"],
        "REDIRECT_URI": BACK,
        "RUNNERLY": runnerly,
        "sent_back": lambda url: yes_to(browser, url),
    }
    exec(code[1], names)  # noqa: S102 - our own page
    assert names["runs"] == []
    session: OAuth2Session = names["app"]
    return session


def test_an_app_is_let_in_works_and_is_shown_out(
    person: Person, other: Person, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    app = {"name": "A map", "redirect_uris": [BACK], "scopes": ["activities:read"]}
    client = other.api.post("clients", app).json
    metadata = person.api.get("/.well-known/oauth-authorization-server").json
    here = f"http://127.0.0.1:{person.api.port}"
    assert metadata["issuer"] == here
    with contextlib.closing(the_app_of_the_book(browser, client, here)) as session:
        token = session.token
        assert token["scope"] == "activities:read"

        assert Api(person.api.port, token["access_token"]).get("activities").json["items"] == []
        for path in ("accounts/me", "sessions", "clients"):
            assert Api(person.api.port, token["access_token"]).get(path).status == 403, "an app is nobody's account"
        renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
        assert Api(person.api.port, renewed["access_token"]).get("activities").status == 200

        out = browser.open(f"{here}/oauth/grants", {"client_id": client["id"]})
        assert (out.status, out.headers["Location"]) == (303, "/oauth/grants")
        with pytest.raises(Exception, match="invalid_grant"):
            session.refresh_token(metadata["token_endpoint"], refresh_token=renewed["refresh_token"])
