"""Where Circus sends what its watchers print."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from circus.exc import ConflictError

QUERY = re.compile(rb"(\?)[^\s\"]+")
LONGEST_LINE = 16_384


class WithoutQueries:
    """Standard error, by lines, without what stands after a `?` in an address: nginx's error log repeats requests."""

    def __init__(self, **_: Any) -> None:
        self._begun: dict[int, bytes] = {}

    def __call__(self, output: dict[str, Any]) -> None:
        """Take in a piece of a process's output; `data` are the bytes, `pid` whose they are."""
        *lines, rest = (self._begun.pop(output["pid"], b"") + output["data"]).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        if rest:
            self._begun[output["pid"]] = rest
        for line in lines:
            sys.stderr.write(QUERY.sub(rb"\1...", line).decode("utf-8", "replace") + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing to close: standard error is not ours."""


class NoConflicts(logging.Filter):
    """Leaves out that circusd could not look after its processes while it does what it was told: it looks again soon."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is worth a line."""
        return not (record.exc_info and isinstance(record.exc_info[1], ConflictError))
