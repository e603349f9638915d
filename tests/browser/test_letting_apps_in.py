"""An app on the person's own machine asks them, in a real browser: signed in first, asked, sent back, shown out again."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.steps import sign_in
from tests.support.api import Api, Person
from tests.support.browsing import Visitor
from tests.support.running import Running

Runner = Callable[..., Visitor]


class Back(BaseHTTPRequestHandler):
    """What an app answers where people come back: it sends them on at once, to another origin that `/back?at=` names."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/back":
            port = parse_qs(asked.query)["at"][0]
            self.send_response(303)
            self.send_header("Location", f"http://127.0.0.1:{port}/landed?{asked.query}")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>The app</title><link rel=icon href='data:,'><p>Back at the app")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """An app that listens on a port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Back)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def app_ports() -> Iterator[tuple[int, int]]:
    """Where an app listens: for the answer, and for what it shows then."""
    with listening() as answered, listening() as shown:
        yield answered, shown


@pytest.mark.parametrize(
    ("locale", "says"),
    [("en-GB", ("Yes, let it in", "Show it out")), ("de-DE", ("Ja, einlassen", "Hinausbitten"))],
)
def test_an_app_is_let_in_and_shown_out(
    runner: Runner, it: Running, app_ports: tuple[int, int], locale: str, says: tuple[str, str]
) -> None:
    yes, out = says
    visitor = runner(locale=locale)
    visitor.watch.ports.update(app_ports)
    answered, shown = app_ports
    owner = Person(Api(it.port), visitor.email)
    owner.sign_in()
    app = {
        "name": "A map",
        "redirect_uris": [f"http://127.0.0.1/back?at={shown}"],
        "scopes": ["activities:read"],
        "public": True,
    }
    client = owner.api.post("clients", app).json
    back, verifier = f"http://127.0.0.1:{answered}/back?at={shown}", secrets.token_urlsafe(48)
    query = {
        "response_type": "code",
        "client_id": client["id"],
        "redirect_uri": back,
        "state": "mine",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    page = visitor.open(f"/oauth/authorize?{urlencode(query)}")
    if locale == "en-GB":
        expect(page.get_by_role("status").first).to_have_text("Sign in to go on.")
        sign_in(visitor, page)
    else:
        form = page.get_by_role("form", name="Anmelden")
        form.get_by_label("E-Mail").fill(visitor.email)
        form.get_by_label("Passwort").fill(visitor.password)
        form.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("button", name=yes)).to_be_visible()
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name=yes).click()
    expect(page.get_by_text("Back at the app")).to_be_visible()
    told = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    assert page.url.startswith(f"http://127.0.0.1:{shown}/landed?"), "an app may send them on to another origin"
    assert (told["state"], told["iss"]) == ("mine", visitor.home)

    page.goto(f"{visitor.home}/oauth/grants")
    expect(page.get_by_role("heading", name="A map")).to_be_visible()
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name=out).click()
    expect(page.get_by_role("button", name=out)).to_have_count(0)
