"""Collecting samples while walking a file, and turning them into columns.

A walk meets tens of thousands of elements, so it only notes the texts, each with its row; they become numbers together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

import msgspec
import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Flags, Floats, Rows
from services.activities.formats.limits import SAMPLES
from services.activities.formats.xml import Element, Visit, number, unix_time

Text: TypeAlias = str | None

_TIME = "time"
_NUMBERS = msgspec.json.Decoder(list[float])
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII).fullmatch


class Columns:
    """The samples of one recording as they are read: a row a sample, with what the file says of it.

    `open` says whether the walk is inside a sample: what is said elsewhere is not of one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.open = False
        self._broken_at: list[int] = []
        self._noted: dict[str, tuple[list[int], list[Text]]] = {}
        self._said: dict[str, list[tuple[Sequence[int] | Rows, Sequence[Text]]]] = {}  # what was noted among it

    def begin(self, samples: int = 1) -> None:
        """Begin the next sample, or so many of them. Raises `NotAnActivity` where there are too many."""
        self.count += samples
        if self.count > SAMPLES:
            raise NotAnActivity(f"This file has over {SAMPLES} samples")
        self.open = True

    def note(self, series: str, text: Text) -> None:
        """Note a value of the present sample. The last one said holds."""
        rows, texts = self._notes(series)
        rows.append(self.count - 1)
        texts.append(text)

    def take(self, series: str, rows: Rows, texts: Sequence[Text]) -> None:
        """Note values of these samples. The last one said of a sample holds."""
        self._said.setdefault(series, []).append((rows, texts))

    def collector(self, series: str) -> Visit:
        """What notes the text of each element that it is shown, where that is inside a sample."""
        rows, texts = self._notes(series)

        def collect(element: Element) -> None:
            if self.open:
                rows.append(self.count - 1)
                texts.append(element.text)

        return collect

    def break_here(self) -> None:
        """Say that the next sample is not connected with the one before."""
        self._broken_at.append(self.count)

    def break_at(self, rows: Iterable[int]) -> None:
        """Say that these samples are not connected with the ones before."""
        self._broken_at.extend(rows)

    def time(self) -> Floats:
        """The Unix times of all samples, NaN where one has none."""
        return self._column(_TIME, unix_times)

    def breaks(self) -> Flags:
        """Which samples are not connected with the one before."""
        flags = np.zeros(self.count, dtype=np.bool_)
        flags[[row for row in self._broken_at if 0 < row < self.count]] = True
        return flags

    def series(self) -> Mapping[str, Floats]:
        """Every series that has any value, NaN where a sample has none."""
        columns = {name: self._column(name, numbers) for name in self._said if name != _TIME}
        return {name: column for name, column in columns.items() if not np.isnan(column).all()}

    def _column(self, series: str, convert: Callable[[Sequence[Text]], Floats]) -> Floats:
        column = np.full(self.count, np.nan)
        for rows, texts in self._said.get(series, ()):
            column[np.asarray(rows, dtype=np.intp)] = convert(texts)
        return column

    def _notes(self, series: str) -> tuple[list[int], list[Text]]:
        """Where single values of a series are noted."""
        if series not in self._noted:
            notes = self._noted[series] = ([], [])
            self._said.setdefault(series, []).append(notes)
        return self._noted[series]


def numbers(texts: Sequence[Text]) -> Floats:
    """Decimal numbers; NaN for what is none, and for what is not finite."""
    try:
        values = np.array(_NUMBERS.decode(f"[{','.join(texts)}]"), dtype=np.float64)  # type: ignore[arg-type]
    except (msgspec.DecodeError, TypeError):  # not as JSON has them, which is read three times as fast
        values = np.zeros(0)
    if len(values) != len(texts):
        values = np.array(list(map(number, texts)), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def unix_times(texts: Sequence[Text]) -> Floats:
    """Times as Unix seconds; NaN for what is none. Nearly all files have them in UTC, to the second or finer."""
    plain = [text[:-1] for text in texts if text and _PLAIN_TIME(text)]
    if len(plain) == len(texts):
        with suppress(ValueError):
            return np.array(plain, dtype="datetime64[ms]").astype(np.float64) / 1000
    return np.array([unix_time(text) for text in texts], dtype=np.float64)
