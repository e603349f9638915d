"""Taking secrets and personal data out of what is about to be logged.

Two nets, since neither catches all: by the name of a field (a password under `password` can look like anything), and by
the shape of what stands in a text (a JWT or an e-mail address in the message of somebody's exception). A person's name
inside free text has no shape: our own messages don't interpolate people, and unknown objects are logged as their type only,
because a `repr` shows all fields. It runs in the log's own thread, never in a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from itertools import pairwise
from pathlib import PurePath
from typing import Any
from uuid import UUID

SECRET, PERSONAL = "[secret]", "[personal]"
MAX_DEPTH, MAX_ITEMS, MAX_TEXT = 6, 100, 8_000
MAX_EXCEPTION = 16_000

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SECRET_WORDS = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "tokens",
        "jwt",
        "apikey",
        "authorization",
    }
    | {"authentication", "cookie", "cookies", "credential", "credentials", "otp", "pin", "kek", "assertion", "csrf"}
)
SECRET_PAIRS = frozenset(
    {("api", "key"), ("private", "key"), ("signing", "key"), ("access", "key"), ("encryption", "key")}
    | {("session", "id")}
)
# `token_ttl_s`, `cookie_count`, `kek_file` tell something about a secret, not the secret
ABOUT_A_SECRET = frozenset(
    {"count", "ttl", "s", "ms", "seconds", "minutes", "hours", "days", "url", "file", "path", "kind", "type"}
)
PERSONAL_NAMES = frozenset(
    {"email", "e_mail", "emails", "name", "first_name", "last_name", "given_name", "family_name", "full_name"}
    | {"display_name", "nickname", "username", "user_name", "phone", "phone_number", "street", "postal_address", "city"}
    | {"birthday", "birth_date", "date_of_birth", "ip", "ips", "ip_address", "client_ip", "remote_ip", "remote_addr"}
    | {"x_forwarded_for", "x_real_ip", "user_agent", "lat", "lon", "latitude", "longitude", "guest", "recipient", "to"}
)

QUOTED = r"""\\+"[^\r\n]*?\\+"|"(?:[^"\\]|\\.)*(?:"|$)|\\+'[^\r\n]*?\\+'|'(?:[^'\\]|\\.)*(?:'|$)"""
NAMED_AS = r"""[\w-]{0,32}\\*["']?\]?\s{0,4}(?:=>|[:=])\s{0,4}"""

PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.DOTALL)
URL_CREDENTIALS = re.compile(r"(://)[^\s/@\"'<>]+(?:@[^\s/@\"'<>]*)*@")
HEADER = re.compile(
    r"""(?i)((?:proxy-)?authorization|set-cookie|cookie|x-api-key)(\\*["']?\s{0,4}[:=,]\s{0,4})[^\r\n]+"""
)
SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|dpop)\s+[\w.~+/=-]+")
JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*")
NAMED_SECRET = re.compile(
    r"(?i)((?:passw(?:or)?d|pwd|passphrase|secret|token|jwt|api[_-]?key|private[_-]?key|signing[_-]?key|access[_-]?key|"
    r"credential|assertion|session[_-]?id|csrf|kek)"
    + NAMED_AS
    + rf")(?:[bru]?(?:{QUOTED})|\[[^\]]*\]?|\{{[^}}]*\}}?|\S+)"
)
NAMED_PERSONAL = re.compile(
    r"(?i)(?<![\w.-])((?:e_?mail|(?:first_?|last_?|given_?|family_?|full_?|display_?|nick|user_?)?name|phone|street|city|"
    r"birth_?da(?:y|te)|date_of_birth|ip|client_ip|remote_ip|user_agent|lat(?:itude)?|lon(?:gitude)?)"
    r"""\\*["']?\]?\s{0,4}(?:=>|[:=])\s{0,4})""" + rf"(?:[bru]?(?:{QUOTED}))"
)
EMAIL = re.compile(r"""[^\s@<>()\[\]{}"',;:\\/=]{1,64}(?:@|%40)[^\s@<>()\[\]{}"',;:\\/]{1,255}""")
IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
# No pattern above matches in a word like this: most values are, and cost one look
PLAIN = re.compile(r"(?!eyJ)[A-Za-z0-9_-]{0,64}")


def scrub(name: str, value: Any, *, personal_allowed: bool = False) -> Any:
    """The value of a field as it may be logged: plain JSON types, without secrets, nor (unless allowed) personal data."""
    return _scrub(name, value, personal_allowed, 0)


def scrub_text(text: str, *, personal_allowed: bool = False, at_most: int = MAX_TEXT) -> str:
    """A text without anything that has the shape of a secret, nor (unless allowed) of personal data."""
    # Cut first, so that the cost is bounded: a pattern holds the interpreter, and with it every request
    text = cut(text, at_most)
    if PLAIN.fullmatch(text):
        return text
    text = PEM.sub(SECRET, text)
    text = URL_CREDENTIALS.sub(rf"\1{SECRET}@", text)
    text = HEADER.sub(rf"\1\2{SECRET}", text)
    text = SCHEME.sub(rf"\1 {SECRET}", text)
    text = NAMED_SECRET.sub(rf"\1{SECRET}", text)
    text = JWT.sub(SECRET, text)
    return text if personal_allowed else _without_people(text)


def cut(text: str, at_most: int, *, keep_end: bool = False) -> str:
    """At most so much of a text, from its beginning (and its end).

    Half a word could be half a secret, without the rest that tells it is one: what a cut leaves of a word goes too.
    """
    if len(text) <= at_most:
        return text
    if keep_end:
        half = at_most // 2
        return f"{cut(text, half)} {text[-half:].partition(' ')[2]}"
    return f"{text[:at_most].rpartition(' ')[0]} [cut]"


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    words = [word.lower() for word in WORDS.findall(name)]
    if not words or words[-1] in ABOUT_A_SECRET:
        return False
    return not SECRET_WORDS.isdisjoint(words) or not SECRET_PAIRS.isdisjoint(pairwise(words))


def is_personal(name: str) -> bool:
    """Whether a field of this name tells who somebody is, or where."""
    return "_".join(word.lower() for word in WORDS.findall(name)) in PERSONAL_NAMES


def _scrub(name: str, value: Any, allowed: bool, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_secret(name):
        return SECRET
    if not allowed and is_personal(name):
        return PERSONAL
    if isinstance(value, Mapping | list | tuple | Set):
        return _scrub_inside(name, value, allowed, depth)
    return _scrub_one(value.value if isinstance(value, Enum) else value, allowed)


def _scrub_one(value: Any, allowed: bool) -> Any:
    match value:
        case int() | float():
            return value
        case str() | UUID() | Decimal() | PurePath():
            return scrub_text(str(value), personal_allowed=allowed)
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case BaseException():
            return scrub_text(f"{type(value).__name__}: {value}", personal_allowed=allowed)
        case _:
            return f"[{type(value).__name__}]"


def _scrub_inside(name: str, value: Any, allowed: bool, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, Mapping):
        pairs = [(str(key), inner) for key, inner in list(value.items())[:MAX_ITEMS]]
        return {scrub_text(key): _scrub(key, inner, allowed, depth + 1) for key, inner in pairs}
    return [_scrub(name, inner, allowed, depth + 1) for inner in list(value)[:MAX_ITEMS]]


def _without_people(text: str) -> str:
    text = NAMED_PERSONAL.sub(rf"\1{PERSONAL}", text)
    text = EMAIL.sub(_mail, text)
    return IPV6.sub(_address, IPV4.sub(_address, text))


def _mail(match: re.Match[str]) -> str:
    # `://[secret]@host` is what is left of credentials in a URL
    return match[0] if match[0].startswith(SECRET) else PERSONAL


def _address(match: re.Match[str]) -> str:
    try:
        address = ip_address(match[0])
    except ValueError:  # a time of day, a version
        return match[0]
    # Our own machine is nobody
    return match[0] if address.is_loopback or address.is_unspecified else PERSONAL
