"""What libraries say through Python's own `logging` takes the way of our logs: queued, scrubbed, as one declared event."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

EVENT = "library.log"
# Tornado's own access log says what http.request says
SILENCED = ("tornado.access", "aiohttp.access")

Emit: TypeAlias = Callable[[str, str, dict[str, Any]], None]


class LibraryHandler(logging.Handler):
    """What Tornado, PyMongo, aiohttp, asyncio and Python's warnings say, as the event `library.log`."""

    def __init__(self, emit: Emit, level: int) -> None:
        super().__init__()
        self._emit = emit
        root = logging.getLogger()
        self._before = (list(root.handlers), root.level)
        root.handlers[:] = [self]
        # Below warnings libraries talk to their own developers, and some of it (PyMongo's commands) holds people's data
        root.setLevel(max(level, logging.WARNING))
        for name in SILENCED:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.captureWarnings(capture=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue it. The message is made now, since its arguments may change."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's arguments don't fit its message: no reason for it to fail
            message = str(record.msg)
        fields = {"library": record.name, "message": message, "exc_info": record.exc_info}
        self._emit(record.levelname.lower(), EVENT, fields)

    def leave(self) -> None:
        """Put everything back as it was."""
        root = logging.getLogger()
        root.handlers[:], level = self._before
        root.setLevel(level)
        for name in SILENCED:
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.captureWarnings(capture=False)
