"""Whose pages may use a browser's session."""

from __future__ import annotations

import pytest

from services.chassis.sessions import BrowserSessions, CrossSite

HERE = "http://127.0.0.1:8080"


def may(public_url: str, **headers: str) -> bool:
    try:
        BrowserSessions.at(public_url).check_origin("POST", {name.replace("_", "-"): v for name, v in headers.items()})
    except CrossSite:
        return False
    return True


@pytest.mark.parametrize("name", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_on_ones_own_machine_our_pages_have_several_names(name: str) -> None:
    assert may(HERE, Host=name, Origin=f"http://{name}")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:3000"),
        ("127.0.0.1:8080", "http://localhost:8080"),
        ("localhost:3000", "http://localhost:3000"),
        ("localhost:8080", "https://localhost:8080"),
        ("evil.example:8080", "http://evil.example:8080"),
        ("localhost:port", "http://localhost:port"),
        ("localhost:8080", "null"),
        ("localhost:8080", ""),
        ("", "http://"),
    ],
)
def test_another_page_of_the_machine_is_another_site(host: str, origin: str) -> None:
    assert not may(HERE, Host=host, Origin=origin)


def test_elsewhere_there_is_one_name() -> None:
    assert may("https://run.example", Host="run.example", Origin="https://run.example")
    assert not may("https://run.example", Host="localhost", Origin="https://localhost")
    assert not may("https://run.example", Host="other.example", Origin="https://other.example")


def test_what_the_browser_says_itself_counts_first() -> None:
    assert may(HERE, Sec_Fetch_Site="same-origin", Origin="http://other.example")
    assert not may(HERE, Sec_Fetch_Site="cross-site", Host="127.0.0.1:8080", Origin=HERE)
