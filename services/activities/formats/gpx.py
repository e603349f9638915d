"""GPX 1.0 and 1.1 (topografix.com/GPX/1/1), with Garmin's, Strava's and others' extensions.

All tracks of a file are one activity, its segments broken off from each other. Waypoints and routes are no activity.
"""

from __future__ import annotations

import math

from lxml import etree

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.domain.sports import Sport
from services.activities.formats.columns import Columns
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import local_name, number, one_line, unix_time

# The names of a track point's values, in the extensions of any maker, and the series they belong to.
_SERIES = {
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
_OTHERS = ("trk", "trkseg", "trkpt", "wpt", "rtept", "time", "name", "desc", "type")
_WANTED = tuple("{*}" + name for name in (*_OTHERS, *_SERIES))


def read_gpx(root: etree._Element) -> list[Recording]:
    """The one activity of a GPX document. Raises `NotAnActivity` where its points have no times, or there are none."""
    walk = _Walk()
    names: dict[str, str] = {}
    for element in root.iter(*_WANTED):
        tag = element.tag
        name = names.get(tag) or names.setdefault(tag, local_name(tag))
        walk.visit(name, element)
    return [walk.recording(one_line(root.get("creator")))]


class _Walk:
    """The state of one walk over a document, in document order: what was found, and which point we are in."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.title: str | None = None
        self.description: str | None = None
        self.sport: Sport | None = None
        self.inside = ""  # the last trk, trkpt, wpt or rtept

    def visit(self, name: str, element: etree._Element) -> None:
        if name == "trkpt":
            self.inside = name
            self.columns.add_row()
            self.columns.set("lat", number(element.get("lat")))
            self.columns.set("lon", number(element.get("lon")))
        elif name == "trkseg":
            self.columns.break_here()
        elif name in ("trk", "wpt", "rtept"):
            self.inside = name
        elif self.inside == "trkpt":
            self._value(name, element.text)
        elif self.inside == "trk":
            self._about(name, element.text)

    def _value(self, name: str, text: str | None) -> None:
        if name == "time":
            self.columns.set_time(unix_time(text))
        elif name in _SERIES:
            self.columns.set(_SERIES[name], number(text))

    def _about(self, name: str, text: str | None) -> None:
        if name == "name":
            self.title = self.title or one_line(text)
        elif name == "desc":
            self.description = self.description or one_line(text, 2000)
        elif name == "type":
            self.sport = self.sport or sport_named(text)

    def recording(self, creator: str | None) -> Recording:
        times = self.columns.times
        if not times:
            raise NotAnActivity("This GPX file has no track points: waypoints and routes are not an activity")
        if all(map(math.isnan, times)):
            raise NotAnActivity("The points of this GPX track have no times, so it is a route and not an activity")
        return Recording(
            format="gpx",
            time=self.columns.time(),
            series=self.columns.series(),
            breaks=self.columns.breaks(),
            sport=self.sport,
            title=self.title,
            description=self.description,
            device=creator,
        )
