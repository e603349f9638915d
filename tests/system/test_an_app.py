"""A third party's app from the outside, as its author would write it: Authlib, and a browser that follows addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit

import pytest
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from tests.support.api import PASSWORD, Answer, Api, Person

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


def test_an_app_is_let_in_works_and_is_shown_out(person: Person, other: Person, browser: Browser) -> None:
    app = {"name": "A map", "redirect_uris": [BACK], "scopes": ["activities:read"]}
    client = other.api.post("clients", app).json
    metadata = person.api.get("/.well-known/oauth-authorization-server").json
    here = f"http://127.0.0.1:{person.api.port}"
    assert metadata["issuer"] == here
    with OAuth2Session(
        client["id"], client["secret"], scope="activities:read", redirect_uri=BACK, code_challenge_method="S256"
    ) as session:
        session.trust_env = False
        verifier = generate_token(48)
        url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
        page = browser.open(url)
        assert (page.status, "A map" in page.body.decode()) == (200, True)
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "form-action" not in policy, "the door adds none either: the app may send the browser on"
        found = re.search(r'name="question" value="([^"]+)"', page.body.decode())
        assert found
        answered = browser.open(metadata["authorization_endpoint"], {"question": unescape(found[1]), "answer": "allow"})
        assert answered.status == 303, answered.body[:300]
        back = answered.headers["Location"]
        token = session.fetch_token(
            metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
        )
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
