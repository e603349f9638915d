"""Reading XML from strangers: no entities, no network, no document types, bounded depth and size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from lxml import etree

from services.activities.domain.plain_text import plain
from services.activities.domain.problems import NotAnActivity
from services.activities.formats.limits import XML_BYTES, XML_ELEMENTS

Element: TypeAlias = etree._Element  # noqa: SLF001 - its class has no other name
Visit: TypeAlias = Callable[[Element], None]


def root_of(content: bytes) -> Element:
    """The root element of a document. Raises `NotAnActivity` where it is not well-formed, or not harmless."""
    content = content.lstrip()  # Strava writes blanks before the declaration, which XML forbids
    if len(content) > XML_BYTES:
        raise NotAnActivity(f"An XML file may be {XML_BYTES // 1024**2} MiB at most")
    if content.count(b"<") > 2 * XML_ELEMENTS:
        raise NotAnActivity("This XML file has too many elements")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_blank_text=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise NotAnActivity(f"This XML file is broken: {error.msg}") from error
    except (LookupError, ValueError) as error:
        raise NotAnActivity("This XML file has an encoding that we do not know") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotAnActivity("XML files with a document type are not taken")
    return root


def named(root: Element, names: Sequence[str]) -> tuple[list[int], list[str | None]]:
    """All elements of these names, whatever their namespaces, in document order: the place of each one's name, and its text.

    A walk over the finished tree that calls nothing of ours takes a third of the time of `walk`.
    """
    tags: list[str] = []
    texts: list[str | None] = []
    for element in _all_named(root, names):
        tags.append(element.tag)
        texts.append(element.text)
    places = {tag: names.index(local_name(tag)) for tag in set(tags)}
    return [places[tag] for tag in tags], texts


def attributes(root: Element, name: str, attribute: str) -> list[str | None]:
    """An attribute of all elements of a name, whatever their namespace, in document order."""
    return [element.get(attribute) for element in _all_named(root, (name,))]


def walk(root: Element, names: Iterable[str], visitor: Callable[[str], Visit]) -> None:
    """Show every element of these names, whatever their namespaces, to the visitor of its name, in document order.

    One walk in C over the finished tree: a third of the time of searching from each point.
    """
    visitors: dict[str, Visit] = {}
    for element in _all_named(root, names):
        tag = element.tag
        visit = visitors.get(tag)
        if visit is None:
            visit = visitors[tag] = visitor(local_name(tag))
        visit(element)


def _all_named(root: Element, names: Iterable[str]) -> Iterator[Element]:
    found: Iterator[Element] = root.iter(*("{*}" + name for name in dict.fromkeys(names)))
    return found


def local_name(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def number(text: str | None) -> float:
    """A decimal number; NaN for what is none, and for what is not finite."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def unix_time(text: str | None) -> float:
    """An ISO 8601 time as Unix seconds; NaN for what is none. Without a zone it is UTC, as GPX and TCX say."""
    if not text:
        return math.nan
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def one_line(text: str | None, limit: int = 200) -> str | None:
    """A text as a title: its words with single blanks, plain and bounded; None where there is none."""
    # cut to what can matter first: it may be megabytes, and is looked at letter by letter
    return plain((text or "")[: 10 * limit], limit, lines=False) or None
