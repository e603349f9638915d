"""A log record on its way: as it is queued (raw, cheap), and as it is written (clean, plain JSON types)."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from services.chassis.catalogue import RESERVED_FIELDS, LogCatalogue
from services.chassis.scrubbing import MAX_EXCEPTION, cut, scrub, scrub_text


class RequestRecord(Struct, frozen=True, gc=False):
    """One answered request, as the endpoint hands it over: `ms` from the first byte read to the answer handed to the socket.

    `sub` is who asked (it is logged as a keyed hash), `trace` the trace id; both "" where there is none.
    """

    service: str
    operation: str
    status: int
    ms: float
    trace: str = ""
    sub: str = ""


class RawRecord(Struct, frozen=True, gc=False):
    """Any other event, with its values as they were given. Rendering waits, so the values must not change any more."""

    at: float
    level: str
    event: str
    fields: dict[str, Any]
    trace: str = ""
    sub: str = ""
    error: BaseException | None = None
    undeclared: bool = False


class Record(Struct, frozen=True):
    """A record that may leave the process. `fields` holds what is not named here, in the order of writing."""

    at: float
    level: str
    event: str
    fields: dict[str, Any]
    exception: str = ""

    def line(self) -> bytes:
        """One line of JSON, for standard output."""
        return encode(
            {
                "timestamp": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds"),
                "level": self.level,
                "event": self.event,
                **self.fields,
                **({"exception": self.exception} if self.exception else {}),
            }
        )


class Cleaner:
    """Makes records fit to leave the process: people hashed, secrets and personal data out, exceptions as text."""

    def __init__(self, catalogue: LogCatalogue, person_key: bytes, constant: Mapping[str, Any]) -> None:
        self._personal = {name: frozenset(event.personal) for name, event in catalogue.events.items()}
        self._key = hashlib.blake2b(person_key).digest()[:32]
        self._constant = dict(constant)

    def person(self, sub: str) -> str:
        """The pseudonym of an account: the same for the same account and key, and nothing without the key."""
        return hashlib.blake2b(sub.encode("utf-8", "replace"), key=self._key, digest_size=8).hexdigest()

    def request(self, at: float, request: RequestRecord) -> Record:
        """A request's record: all of it is ours and plain, but the person."""
        fields = self._constant | {
            "service": request.service,
            "trace": request.trace,
            "operation": request.operation,
            "status": request.status,
            "ms": round(request.ms, 2),
        }
        if request.sub:
            fields["person"] = self.person(request.sub)
        return Record(at, "info", "http.request", fields)

    def clean(self, raw: RawRecord) -> Record:
        """Any other record."""
        allowed = self._personal.get(raw.event, frozenset())
        fields = dict(self._constant)
        if raw.trace:
            fields["trace"] = raw.trace
        for name, value in raw.fields.items():
            if name != "person":
                written = _writable(name) if raw.undeclared else name
                fields[written] = scrub(name, value, personal_allowed=name in allowed)
        if person := raw.fields.get("person") or raw.sub:
            fields["person"] = self.person(str(person))
        if raw.undeclared:
            fields["undeclared"] = True
        if raw.error is None:
            return Record(raw.at, raw.level, raw.event, fields)
        fields["error"] = type(raw.error).__name__
        return Record(raw.at, raw.level, raw.event, fields, exception_text(raw.error))


def exception_text(error: BaseException) -> str:
    """The traceback of an exception and of its causes, scrubbed. The end, which says what it was, survives a cut."""
    lines = traceback.TracebackException.from_exception(error, limit=40, compact=True).format()
    return scrub_text(cut("".join(lines).rstrip(), MAX_EXCEPTION, keep_end=True), at_most=2 * MAX_EXCEPTION)


def encode(document: Any) -> bytes:
    """JSON, also of texts that are no valid Unicode (half a surrogate pair, from a file's name for one)."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_valid(document))


def _writable(name: str) -> str:
    """The name of a field that nobody declared, so that it is valid in GELF and hides none of ours."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    return f"{plain}_" if plain in RESERVED_FIELDS else plain


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_valid(key): _valid(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_valid(inner) for inner in value]
    return value
