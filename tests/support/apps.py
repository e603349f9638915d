"""Somebody at a browser, and an app that asks them: the two sides of the authorization code flow."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from services.tokendealer.domain.clients import Client
from tests.support.tokendealer import Dealer

AUTHORIZE, GRANTS, TOKEN = "/oauth/authorize", "/oauth/grants", "/oauth/token"
BACK = "https://app.example/back?a=1"
OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Seen:
    """What a browser was sent."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def to(self) -> str:
        """Where it is sent on."""
        return self.headers.get("Location", "")

    @property
    def told(self) -> dict[str, str]:
        """What is told to the app."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.to).query).items()}

    @property
    def question(self) -> str:
        """What the form on the page carries."""
        found = re.search(r'name="question" value="([^"]+)"', self.text)
        assert found, self.text
        return unescape(found[1])


@dataclass
class Browser:
    """Somebody at a browser, signed in or not."""

    dealer: Dealer
    sub: str = ""
    token: str = ""
    family: str = ""
    language: str = "en"

    async def see(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> Seen:
        """Open a page, or send a form."""
        sent = {"Accept-Language": self.language, **headers}
        if self.token:
            sent["Cookie"] = f"runnerly_access={self.token}"
        url = self.dealer.settings.url + path
        call = self.dealer.client.request(method, url, data=form, headers=sent, allow_redirects=False)
        async with call as answer:
            return Seen(answer.status, await answer.text(), dict(answer.headers))

    async def ask(self, app: App, **changes: str | None) -> Seen:
        """Open the page that an app sends people to."""
        return await self.see("GET", app.address(**changes))

    async def answer(self, asked: Seen, answer: str = "allow", **headers: str) -> Seen:
        """Send the form of that page."""
        return await self.see("POST", AUTHORIZE, {"question": asked.question, "answer": answer}, **(headers or OURS))

    async def let_in(self, app: App, **changes: str | None) -> str:
        """Say yes, where that is asked; the code that the app is told."""
        asked = await self.ask(app, **changes)
        answered = asked if asked.to else await self.answer(asked)
        assert answered.status == 303, answered.text
        return answered.told["code"]


@dataclass
class App:
    """A third party, as it talks to Runnerly."""

    dealer: Dealer
    client: Client
    secret: str | None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """What its verifier is proved by."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def address(self, **changes: str | None) -> str:
        """Where it sends people."""
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.client.redirect_uris[0],
            "scope": "activities:read",
            "state": "st&te",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        }
        query = {name: value for name, value in (query | changes).items() if value is not None}
        return f"{AUTHORIZE}?{urlencode(query)}"

    async def trade(self, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """Trade a code."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uris[0],
            "code_verifier": self.verifier,
        }
        return await self.post(TOKEN, **(form | changes))

    async def post(self, path: str, **form: str | None) -> tuple[int, dict[str, Any]]:
        """Call an OAuth endpoint, proving itself as it can."""
        whole = {"client_id": self.client.id, "client_secret": self.secret, **form}
        return await self.dealer.post(path, {name: value for name, value in whole.items() if value is not None})

    async def is_active(self, token: str) -> bool:
        """Whether a token of its own is good now."""
        _, told = await self.post("/oauth/introspect", token=token)
        return bool(told["active"])


async def browser(dealer: Dealer, sub: str, *scopes: str) -> Browser:
    """Somebody at a browser, signed in."""
    signed_in = await dealer.sign_in(sub, "runnerly", *(scopes or ("account", "activities:read", "reports:read")))
    return Browser(dealer, sub, signed_in.access_token, signed_in.family)


async def app(dealer: Dealer, *redirects: str, public: bool = False, **changes: Any) -> App:
    """A new third party, registered as people do."""
    owner = await dealer.sign_in(f"owner-{secrets.token_hex(4)}", "runnerly", "account")
    body = {
        "name": "Splits <on> a map",
        "redirect_uris": redirects or (BACK,),
        "scopes": ["activities:read", "reports:read", "bookings:read"],
        "public": public,
        **changes,
    }
    headers = {"Authorization": f"Bearer {owner.access_token}"}
    async with dealer.client.post(f"{dealer.settings.url}/api/v1/clients", json=body, headers=headers) as answer:
        told = await answer.json()
        assert answer.status == 201, told
    client = await dealer.clients.find(told["id"])
    assert client is not None
    return App(dealer, client, told["secret"])
