"""Where an authorization may be answered: exactly the addresses that a client registered (RFC 9700, 4.1.3).

Only https, and plain http on loopback, where a native app listens on a port that it learns when it starts: there, and
only there, the port is not compared (RFC 8252, 7.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlencode

MAX_CHARS = 500
NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
LOOPBACK = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>[/?].*)?"
)
WEB = re.compile(rf"https://(?P<host>{NAME}(?:\.{NAME})*)(?::(?P<port>[1-9][0-9]{{0,4}}))?(?P<rest>[/?].*)?")
# RFC 3986, 3.3 and 3.4: what a path and a query are made of; no fragment, no space, nothing that a page could break at.
REST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
MAX_PORT = 65_535


def fault_of(uri: str) -> str | None:
    """What is wrong with a redirect URI, in a sentence; None where nothing is."""
    match = WEB.fullmatch(uri) or LOOPBACK.fullmatch(uri)
    if len(uri) > MAX_CHARS:
        return f"A redirect URI has at most {MAX_CHARS} characters"
    if match is None:
        return "A redirect URI is https://... in small letters, or http:// on 127.0.0.1, [::1] or localhost"
    if not REST.fullmatch(match["rest"] or ""):
        return "A redirect URI has no fragment, and no character that a URI does not have"
    if any(part in {".", ".."} for part in (match["rest"] or "").partition("?")[0].split("/")):
        return "A redirect URI has no part that is . or .."
    return "There is no such port" if int(match["port"] or 1) > MAX_PORT else None


def is_loopback(uri: str) -> bool:
    """Whether this address is on the very machine that asks."""
    return LOOPBACK.fullmatch(uri) is not None


def is_registered(uri: str, registered: Iterable[str], *, any_port: bool) -> bool:
    """Whether this is one of the registered ones, character by character; but for the port on loopback, if `any_port`."""
    known = list(registered)
    if uri in known:
        return True
    return any_port and fault_of(uri) is None and _without_port(uri) in {_without_port(one) for one in known} - {None}


def origin_of(uri: str) -> str:
    """The scheme, host and port of a redirect URI."""
    match = WEB.fullmatch(uri) or LOOPBACK.fullmatch(uri)
    if match is None:
        raise ValueError("This is no redirect URI")
    return uri[: len(uri) - len(match["rest"] or "")]


def answered_at(uri: str, answer: dict[str, str]) -> str:
    """The redirect URI with an answer in its query, after what is in it already (RFC 6749, 4.1.2)."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"


def _without_port(uri: str) -> tuple[str, str] | None:
    match = LOOPBACK.fullmatch(uri)
    return (match["host"], match["rest"] or "") if match else None
