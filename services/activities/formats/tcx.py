"""TCX, Garmin's Training Center Database v2: activities with laps and tracks. Courses are no activity."""

from __future__ import annotations

import math

from lxml import etree

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording, Totals
from services.activities.domain.sports import Sport
from services.activities.formats.columns import Columns
from services.activities.formats.limits import LAPS, SESSIONS
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import local_name, number, one_line, unix_time

_SERIES = {
    "LatitudeDegrees": "lat",
    "LongitudeDegrees": "lon",
    "AltitudeMeters": "altitude",
    "DistanceMeters": "distance",
    "Cadence": "cadence",
    "RunCadence": "cadence",
    "Watts": "power",
    "Speed": "speed",
}
_LAP_TOTALS = ("TotalTimeSeconds", "DistanceMeters", "Calories")
_OTHERS = ("Activity", "Lap", "Track", "Trackpoint", "Time", "HeartRateBpm", "Notes", "Creator", "Name", "Course")
_WANTED = tuple("{*}" + name for name in dict.fromkeys((*_OTHERS, *_SERIES, *_LAP_TOTALS)))
_HAS_PLACE_OF_ITS_OWN = ("Activity", "Lap", "Trackpoint", "Creator", "Course")


def read_tcx(root: etree._Element) -> list[Recording]:
    """The activities of a TCX document, in its order. Raises `NotAnActivity` where there are none."""
    walk = _Walk()
    names: dict[str, str] = {}
    for element in root.iter(*_WANTED):
        tag = element.tag
        walk.visit(names.get(tag) or names.setdefault(tag, local_name(tag)), element)
    recordings = [activity.recording() for activity in walk.activities if activity.holds_anything()]
    if not recordings:
        kind = "only a course" if walk.courses else "no activity"
        raise NotAnActivity(f"This TCX file holds {kind} with times")
    return recordings


class _Walk:
    """The state of one walk over a document, in document order: what was found, and where we are."""

    def __init__(self) -> None:
        self.activities: list[_Activity] = []
        self.courses = 0
        self.inside = ""

    def visit(self, name: str, element: etree._Element) -> None:
        if name in _HAS_PLACE_OF_ITS_OWN:
            self.inside = name
        if name == "Activity":
            if len(self.activities) >= SESSIONS:
                raise NotAnActivity(f"This TCX file has over {SESSIONS} activities")
            self.activities.append(_Activity(sport_named(element.get("Sport"))))
        elif name == "Course":
            self.courses += 1
        elif self.activities and self.inside != "Course":
            self.activities[-1].visit(self.inside, name, element)


class _Activity:
    """One activity as it is read."""

    def __init__(self, sport: Sport | None) -> None:
        # Garmin's TCX knows Running, Biking and Other: the last says only that it was neither
        self.sport = sport
        self.columns = Columns()
        self.lap_starts: list[float] = []
        self.tracks_in_lap = 0
        self.lap_totals: dict[str, float] = {}
        self.description: str | None = None
        self.device: str | None = None

    def visit(self, inside: str, name: str, element: etree._Element) -> None:
        if name == "Trackpoint":
            self.columns.add_row()
        elif name == "Track":
            self._track()
        elif name == "Lap":
            self._lap(element)
        elif inside == "Trackpoint":
            self._value(name, element)
        elif inside == "Lap" and name in _LAP_TOTALS:
            self.lap_totals[name] = self.lap_totals.get(name, 0.0) + number(element.text)
        elif name == "Notes":
            self.description = self.description or one_line(element.text, 2000)
        elif inside == "Creator" and name == "Name":
            self.device = one_line(element.text)

    def _lap(self, element: etree._Element) -> None:
        if len(self.lap_starts) >= LAPS:
            raise NotAnActivity(f"This TCX file has over {LAPS} laps")
        self.lap_starts.append(unix_time(element.get("StartTime")))
        self.tracks_in_lap = 0

    def _track(self) -> None:
        # every lap begins a track; a second one in the same lap is the timer started again
        self.tracks_in_lap += 1
        if self.tracks_in_lap > 1:
            self.columns.break_here()

    def _value(self, name: str, element: etree._Element) -> None:
        if name == "Time":
            self.columns.set_time(unix_time(element.text))
        elif name == "HeartRateBpm":
            self.columns.set("heart_rate", number(element[0].text) if len(element) else math.nan)
        elif name in _SERIES:
            self.columns.set(_SERIES[name], number(element.text))

    def holds_anything(self) -> bool:
        started = any(math.isfinite(start) for start in self.lap_starts)
        return any(math.isfinite(time) for time in self.columns.times) or (
            started and self.lap_totals.get("TotalTimeSeconds", 0.0) > 0
        )

    def recording(self) -> Recording:
        lap_starts = tuple(sorted(start for start in self.lap_starts if math.isfinite(start)))
        return Recording(
            format="tcx",
            time=self.columns.time(),
            series=self.columns.series(),
            breaks=self.columns.breaks(),
            sport=self.sport,
            started_at_s=lap_starts[0] if lap_starts else None,
            lap_starts=lap_starts,
            totals=Totals(
                distance_m=self._total("DistanceMeters"),
                timer_s=self._total("TotalTimeSeconds"),
                elapsed_s=self._total("TotalTimeSeconds"),
                calories_kcal=self._total("Calories"),
            ),
            description=self.description,
            device=self.device,
        )

    def _total(self, name: str) -> float | None:
        total = self.lap_totals.get(name, math.nan)
        return total if math.isfinite(total) and total > 0 else None
