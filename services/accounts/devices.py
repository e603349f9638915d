"""What a browser or program says it is, in words for people: `Firefox · Android`.

The rules are those of the ua-parser project, matched in linear time (Rust's regex): what is matched is sent by strangers.
"""

from __future__ import annotations

import re

from ua_parser import Domain, Parser, load_builtins

LONGEST_NAME = 40
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 +-]+")  # some rules let parts of a header through: no address may come of that


class Devices:
    """Knows devices by their User-Agent header. Making one takes a quarter of a second: do it in a thread, once."""

    def __init__(self) -> None:
        browsers, systems, _ = load_builtins()
        self._parser = Parser.from_matchers((browsers, systems, []))

    def name(self, user_agent: str) -> str | None:
        """The program and the system it runs on, as far as they are known, without versions; None where nothing is."""
        found = self._parser(user_agent, Domain.USER_AGENT | Domain.OS)
        families = [part.family for part in (found.user_agent, found.os) if part is not None]
        return " · ".join(filter(None, map(_readable, families))) or None


def _readable(family: str) -> str:
    return NOT_IN_NAMES.sub(" ", family)[:LONGEST_NAME].strip()
