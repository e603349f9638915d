"""What a handler can answer with, beyond a plain value: a version, a location, a page, a file, a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")


class Cookie(Struct, frozen=True):
    """A cookie to set; `max_age_s=0` removes it. It is always HttpOnly, SameSite=Lax and for the whole site."""

    name: str
    value: str
    max_age_s: int | None = None


class Answer(Struct, Generic[T], frozen=True):
    """A value with what goes around it.

    `version` becomes the ETag `"<version>-<format>"`; `location` names what was created; `status` overrides the operation's
    own where one call has two successes (a created thing, or several).
    """

    value: T
    version: int | UnsetType = UNSET
    location: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = {}
    cookies: tuple[Cookie, ...] = ()


class Page(Struct, Generic[T], frozen=True):
    """One page of a list. `next` is the cursor of the page after it, null on the last."""

    items: list[T]
    next: str | None


class Items(Struct, Generic[T], frozen=True):
    """A list that is never long: it has no pages."""

    items: list[T]


class File(Struct, frozen=True):
    """Bytes as they are: to download under a name, or, without one, to show."""

    content: bytes
    media_type: str
    filename: str | None = None


class Stream(Struct, frozen=True):
    """Bytes that are sent as they come; to download under a name, where there is one."""

    chunks: AsyncIterator[bytes]
    media_type: str
    filename: str | None = None
    headers: Mapping[str, str] = {}


class Download(Struct, frozen=True):
    """A large file to be saved, whole or a part of it. `read` gives its bytes from one place up to another, as they come.

    `tag` is the same for as long as its bytes are: a download that broke off goes on only where it is the same file.
    """

    read: Callable[[int, int], AsyncIterator[bytes]]
    size: int
    media_type: str
    filename: str
    tag: str


class Event(Struct, frozen=True):
    """One server-sent event. `data` is encoded as JSON; `id` is what a client resumes after, with `Last-Event-ID`."""

    data: Any
    id: str | None = None
    name: str | None = None


class EventStream(Struct, frozen=True):
    """Server-sent events, until the source ends, the token expires, the client leaves or the process drains."""

    source: AsyncIterator[Event]
