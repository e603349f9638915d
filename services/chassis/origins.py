"""Which pages of other sites may call the API from a browser: the CORS protocol of the Fetch standard. None, unless told.

They call it with tokens that they hold. Cookies never count from elsewhere: no answer has `Access-Control-Allow-Credentials`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

# A name as browsers write it (small letters, a-labels), or an address; plain http only for what is on this very machine.
NAME = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
ORIGIN = re.compile(
    rf"(?:(?P<https>https)://(?:{NAME}|\[[0-9a-f:.]+\])|http://(?:localhost|127\.0\.0\.1|\[::1\])){PORT}"
)
MAX_PORT = 65_535

REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, traceparent"
ANSWER_HEADERS = (
    "ETag, Location, Retry-After, WWW-Authenticate, Allow, Content-Disposition, Idempotency-Replayed, X-Request-Id"
)
# Chromium keeps no preflight for longer than two hours. One that is kept lets nobody read who is no longer on the list.
KEPT_FOR_S = 3_600


class Origins:
    """The origins on the list, each compared as a whole, letter by letter."""

    __slots__ = ("_allowed",)

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    @classmethod
    def parse(cls, text: str) -> Origins:
        """The origins in a setting, between blanks or commas. Raises `ValueError` for what no browser would send."""
        origins = text.replace(",", " ").split()
        for origin in origins:
            _check(origin)
        return cls(origins)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._allowed)

    def __contains__(self, origin: object) -> bool:
        """Whether this one is on the list."""
        return origin in self._allowed

    def __iter__(self) -> Iterator[str]:
        """All of them, in order."""
        return iter(sorted(self._allowed))

    def __str__(self) -> str:
        """As the setting has them."""
        return " ".join(self)

    def answer_headers(self, origin: str | None) -> Mapping[str, str]:
        """What lets pages of an origin read an answer; nothing for one that is not on the list."""
        if origin not in self._allowed:
            return {}
        return {"Access-Control-Allow-Origin": str(origin), "Access-Control-Expose-Headers": ANSWER_HEADERS}

    def preflight_headers(self, origin: str | None, verbs: Iterable[str]) -> Mapping[str, str]:
        """What lets pages of an origin make a request that is no plain link or form; nothing for one not on the list."""
        if origin not in self._allowed:
            return {}
        return {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Methods": ", ".join(verbs),
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": str(KEPT_FOR_S),
        }


NONE = Origins()


def _check(origin: str) -> None:
    match = ORIGIN.fullmatch(origin)
    if match is None:
        raise ValueError(f"{origin} is no origin like https://app.example (or http:// on localhost), in small letters")
    usual = "443" if match["https"] else "80"
    if match["port"] is not None and (match["port"] == usual or int(match["port"]) > MAX_PORT):
        raise ValueError(f"{origin} has a port that no browser would name")
