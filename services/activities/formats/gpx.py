"""GPX 1.0 and 1.1 (topografix.com/GPX/1/1), with Garmin's, Strava's and others' extensions.

All tracks of a file are one activity, its segments broken off from each other. Waypoints and routes are no activity.
"""

from __future__ import annotations

import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.domain.sports import Sport
from services.activities.formats.columns import Columns
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import Element, Visit, one_line, walk

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
_OTHERS = ("trk", "trkseg", "trkpt", "wpt", "rtept", "name", "desc", "type")


def read_gpx(root: Element) -> list[Recording]:
    """The one activity of a GPX document. Raises `NotAnActivity` where its points have no times, or there are none."""
    track = _Track()
    walk(root, (*_OTHERS, *_SERIES), track.visitor)
    return [track.recording(one_line(root.get("creator")))]


class _Track:
    """What was found so far on a walk over a document, and where in it we are."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.title: str | None = None
        self.description: str | None = None
        self.sport: Sport | None = None
        self.inside_track = False

    def visitor(self, name: str) -> Visit:
        """What visits the elements of this name."""
        if name in _SERIES:
            return self.columns.collector(_SERIES[name])
        visitors: dict[str, Visit] = {
            "trkpt": self._point,
            "trkseg": self._segment,
            "trk": self._track,
            "wpt": self._elsewhere,
            "rtept": self._elsewhere,
            "name": self._name,
            "desc": self._description,
            "type": self._type,
        }
        return visitors[name]

    def _point(self, element: Element) -> None:
        self.columns.begin()
        self.columns.note("lat", element.get("lat"))
        self.columns.note("lon", element.get("lon"))

    def _segment(self, _: Element) -> None:
        self.columns.break_here()

    def _track(self, _: Element) -> None:
        self.columns.open = False
        self.inside_track = True

    def _elsewhere(self, _: Element) -> None:
        self.columns.open = False
        self.inside_track = False

    def _name(self, element: Element) -> None:
        if self._is_about_the_track():
            self.title = self.title or one_line(element.text)

    def _description(self, element: Element) -> None:
        if self._is_about_the_track():
            self.description = self.description or one_line(element.text, 2000)

    def _type(self, element: Element) -> None:
        if self._is_about_the_track():
            self.sport = self.sport or sport_named(element.text)

    def _is_about_the_track(self) -> bool:
        return self.inside_track and not self.columns.open

    def recording(self, creator: str | None) -> Recording:
        if not self.columns.count:
            raise NotAnActivity("This GPX file has no track points: waypoints and routes are not an activity")
        time = self.columns.time()
        if np.isnan(time).all():
            raise NotAnActivity("The points of this GPX track have no times, so it is a route and not an activity")
        return Recording(
            format="gpx",
            time=time,
            series=self.columns.series(),
            breaks=self.columns.breaks(),
            sport=self.sport,
            title=self.title,
            description=self.description,
            device=creator,
        )
