"""GPX 1.0 and 1.1 (topografix.com/GPX/1/1), with Garmin's, Strava's and others' extensions.

All tracks of a file are one activity, its segments broken off from each other. Waypoints and routes are no activity.
"""

from __future__ import annotations

import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording, Rows
from services.activities.formats.columns import Columns
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import Element, attributes, named, one_line

# The names of a track point's values, in the extensions of any maker, and the series they belong to.
_SERIES = {
    "time": "time",
    "ele": "altitude",
    "hr": "heart_rate",
    "heartrate": "heart_rate",
    "cad": "cadence",
    "cadence": "cadence",
    "power": "power",
    "watts": "power",
    "PowerInWatts": "power",
    "speed": "speed",
    "distance": "distance",
}
_POINT = "trkpt"
_TRACK = ("trk", "trkseg")
_PARTS = (_POINT, *_TRACK, "wpt", "rtept")  # whatever is said after one of them is said of it
_WORDS = ("name", "desc", "type")
_NAMES = (*_PARTS, *_WORDS, *_SERIES)
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}


def read_gpx(root: Element) -> list[Recording]:
    """The one activity of a GPX document. Raises `NotAnActivity` where its points have no times, or there are none."""
    elements = _Elements(root)
    columns = elements.columns()
    if not columns.count:
        raise NotAnActivity("This GPX file has no track points: waypoints and routes are not an activity")
    time = columns.time()
    if np.isnan(time).all():
        raise NotAnActivity("The points of this GPX track have no times, so it is a route and not an activity")
    return [
        Recording(
            format="gpx",
            time=time,
            series=columns.series(),
            breaks=columns.breaks(),
            sport=next(filter(None, map(sport_named, elements.said_of_track("type"))), None),
            title=next(filter(None, map(one_line, elements.said_of_track("name"))), None),
            description=next(filter(None, (one_line(text, 2000) for text in elements.said_of_track("desc"))), None),
            device=one_line(root.get("creator")),
        )
    ]


class _Elements:
    """The elements of a document in their order: a number for the name of each, its text, and the part it is said of."""

    def __init__(self, root: Element) -> None:
        kinds, self._texts = named(root, _NAMES)
        self._root = root
        self._kinds = np.array(kinds, dtype=np.int64)
        order = np.arange(len(kinds))
        parts = np.maximum.accumulate(np.where(self._kinds < len(_PARTS), order, -1))
        self._parts = np.where(parts >= 0, self._kinds[parts], -1)
        self._is_point = self._kinds == _NUMBERS[_POINT]
        self._rows = np.cumsum(self._is_point) - 1

    def said_of_track(self, name: str) -> list[str | None]:
        """What elements of this name say of a track."""
        of_track = np.isin(self._parts, [_NUMBERS[part] for part in _TRACK])
        return self._texts_of(np.flatnonzero((self._kinds == _NUMBERS[name]) & of_track))

    def columns(self) -> Columns:
        """What is said of each point. Raises `NotAnActivity` where there are too many."""
        columns = Columns()
        columns.begin(int(self._is_point.sum()))
        for attribute in ("lat", "lon"):
            columns.take(attribute, np.arange(columns.count), attributes(self._root, _POINT, attribute))
        of_point = self._parts == _NUMBERS[_POINT]
        for name, series in _SERIES.items():
            places = np.flatnonzero((self._kinds == _NUMBERS[name]) & of_point)
            if len(places):
                columns.take(series, self._rows[places], self._texts_of(places))
        columns.break_at((self._rows[self._kinds == _NUMBERS["trkseg"]] + 1).tolist())
        return columns

    def _texts_of(self, places: Rows) -> list[str | None]:
        return [self._texts[place] for place in places.tolist()]
