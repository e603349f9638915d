"""Garmin's own FIT decoder, the last resort: where ours fails at a file, and where it is installed (`runnerly[garmin]`).

It is written in Python, 25 times slower, and not free software: see docs/decisions/0034-garmins-decoder.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Message: TypeAlias = Mapping[str | int, Any]
Messages: TypeAlias = Mapping[str, Sequence[Message]]

_FIT_EPOCH_S = 631_065_600  # 1989-12-31T00:00:00Z
_TIMES = frozenset({"timestamp", "start_time", "local_timestamp", "time_created"})


def decoded_by_garmin(content: bytes) -> Messages | None:
    """The messages in a file, by their names, times in Unix seconds; None where there are none, or no decoder.

    It has no bounds of its own: give it what `mended` made.
    """
    try:
        from garmin_fit_sdk import Decoder, Stream  # noqa: PLC0415 - it may not be installed, and is rarely wanted
    except ImportError:
        return None
    try:
        messages, _ = Decoder(Stream.from_byte_array(bytearray(content))).read(
            convert_datetimes_to_dates=False, enable_crc_check=False, merge_heart_rates=False
        )
    except Exception:  # noqa: BLE001 - it raises what happens to go wrong inside it
        return None
    found: dict[str, list[Message]] = dict(messages)  # type: ignore[arg-type]
    named = {name.removesuffix("_mesgs"): [_in_unix_time(message) for message in some] for name, some in found.items()}
    return named or None


def _in_unix_time(message: Message) -> Message:
    return {
        name: value + _FIT_EPOCH_S if name in _TIMES and isinstance(value, int) else value
        for name, value in message.items()
    }
