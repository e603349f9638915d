"""Where an authorization may be answered: exactly the addresses that a client registered (RFC 9700, 4.1.3).

Https, and for apps on the person's own device (RFC 8252, 7) plain http on loopback, where they listen on a port that they
learn when they start - there, and only there, the port is not compared - or a scheme of their own.
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
# RFC 8252, 7.1 and 8.4: a domain name of the app's maker, reversed; no authority, so one slash only.
OWN_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+):(?P<rest>/(?!/).*)")
# RFC 3986, 3.3 and 3.4: what a path and a query are made of; no fragment, no space, nothing that a page could break at.
REST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
MAX_PORT = 65_535


def fault_of(uri: str) -> str | None:
    """What is wrong with a redirect URI, in a sentence; None where nothing is."""
    match = _match(uri)
    if len(uri) > MAX_CHARS:
        return f"A redirect URI has at most {MAX_CHARS} characters"
    if match is None:
        return (
            "A redirect URI is https://... in small letters, http:// on 127.0.0.1, [::1] or localhost,"
            " or com.example.app:/... where that is the app's own"
        )
    if not REST.fullmatch(match["rest"] or ""):
        return "A redirect URI has no fragment, and no character that a URI does not have"
    if any(part in {".", ".."} for part in (match["rest"] or "").partition("?")[0].split("/")):
        return "A redirect URI has no part that is . or .."
    return "There is no such port" if int(match.groupdict().get("port") or 1) > MAX_PORT else None


def is_on_device(uri: str) -> bool:
    """Whether an app on the person's device answers there: any other app there could say that it is this one."""
    return WEB.fullmatch(uri) is None


def has_own_scheme(uri: str) -> bool:
    """Whether its scheme is an app's own."""
    return OWN_SCHEME.fullmatch(uri) is not None


def is_registered(uri: str, registered: Iterable[str], *, any_port: bool) -> bool:
    """Whether this is one of the registered ones, character by character; but for the port on loopback, if `any_port`."""
    known = list(registered)
    if uri in known:
        return True
    return any_port and fault_of(uri) is None and _without_port(uri) in {_without_port(one) for one in known} - {None}


def place_of(uri: str) -> str:
    """Where a redirect URI leads, as a person is told: the host and port, or the scheme where that is an app's own."""
    match = _match(uri)
    if match is None:
        raise ValueError("This is no redirect URI")
    return uri[: len(uri) - len(match["rest"] or "")].rpartition("//")[2].removesuffix(":")


def fault_of_all(uris: Iterable[str], *, public: bool) -> tuple[int, str] | None:
    """The first of these that an app can't have, by its place, and what is wrong with it."""
    for place, uri in enumerate(uris):
        if fault := fault_of(uri):
            return place, fault
        if has_own_scheme(uri) and not public:
            return place, "A scheme of its own is for a public app, on the person's device"
    return None


def answered_at(uri: str, answer: dict[str, str]) -> str:
    """The redirect URI with an answer in its query, after what is in it already (RFC 6749, 4.1.2)."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"


def _match(uri: str) -> re.Match[str] | None:
    return WEB.fullmatch(uri) or LOOPBACK.fullmatch(uri) or OWN_SCHEME.fullmatch(uri)


def _without_port(uri: str) -> tuple[str, str] | None:
    match = LOOPBACK.fullmatch(uri)
    return (match["host"], match["rest"] or "") if match else None
