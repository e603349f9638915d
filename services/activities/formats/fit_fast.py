"""FIT as `fitfast` decodes it, which is written in Rust: messages, or the records at once as columns of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import fitfast

from services.activities.formats.fit_columns import EARLY_DEVICES, READ, TIME, Columns
from services.activities.formats.fit_frames import of_kinds
from services.activities.formats.fit_garmin import Messages

T = TypeVar("T")

# file_id, session, lap, event, device_info, activity; and what describes developers' fields in them
_BESIDE_RECORDS = frozenset({0, 18, 19, 21, 23, 34, 206, 207})


def decoded_by_fitfast(content: bytes) -> Messages | None:
    """The messages in a file, by their names, times in Unix seconds; None where the decoder refuses it."""
    return _unless_refused(lambda: fitfast.parse(content))


def decoded_in_columns(content: bytes) -> tuple[Messages, Columns] | None:
    """The few messages in a file that we read beside its records, and these as columns, which is twice as fast as messages.

    None for what only messages tell: a file that is damaged, or of several parts, or of a device that packed its distances.
    """
    others = of_kinds(_BESIDE_RECORDS, content)
    if others is None:
        return None
    messages = decoded_by_fitfast(others)
    columns = _unless_refused(lambda: fitfast.records(content, degrees=False))
    if messages is None or columns is None or TIME not in columns or "distance" not in columns:
        return None
    timed = columns[TIME] > 0
    return messages, {name: columns[name][timed] for name in READ if name in columns and name != EARLY_DEVICES}


def _unless_refused(decode: Callable[[], T]) -> T | None:
    try:
        return decode()
    except ValueError:
        return None
    except BaseException as panic:
        # a panic in Rust is a BaseException here
        if type(panic).__name__ == "PanicException":
            return None
        raise
