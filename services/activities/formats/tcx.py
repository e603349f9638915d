"""TCX, Garmin's Training Center Database v2: activities with laps and tracks. Courses are no activity."""

from __future__ import annotations

import math

import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording, Totals
from services.activities.domain.sports import Sport
from services.activities.formats.columns import Columns
from services.activities.formats.limits import LAPS, SESSIONS
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import Element, Visit, number, one_line, unix_time, walk

_SERIES = {
    "Time": "time",
    "LatitudeDegrees": "lat",
    "LongitudeDegrees": "lon",
    "AltitudeMeters": "altitude",
    "Cadence": "cadence",
    "RunCadence": "cadence",
    "Watts": "power",
    "Speed": "speed",
}
_OTHERS = ("Activity", "Lap", "Track", "Trackpoint", "HeartRateBpm", "Notes", "Creator", "Name", "Course")
_TOTALS = ("DistanceMeters", "TotalTimeSeconds", "Calories")


def read_tcx(root: Element) -> list[Recording]:
    """The activities of a TCX document, in its order. Raises `NotAnActivity` where there are none."""
    document = _Document()
    walk(root, (*_OTHERS, *_TOTALS, *_SERIES), document.visitor)
    recordings = [recording for activity in document.activities if (recording := activity.recording()) is not None]
    if not recordings:
        kind = "only a course" if document.courses else "no activity"
        raise NotAnActivity(f"This TCX file holds {kind} with times")
    return recordings


class _Document:
    """What was found so far on a walk over a document: activities, and what belongs to none."""

    def __init__(self) -> None:
        self.activities: list[_Activity] = []
        self.courses = 0
        self._present = _Activity(None)  # before the first, and inside a course: nobody's

    def visitor(self, name: str) -> Visit:
        """What visits the elements of this name."""
        if name == "Activity":
            return self._activity
        if name == "Course":
            return self._course
        visits: dict[_Activity, Visit] = {}

        def visit(element: Element) -> None:
            present = self._present
            if present not in visits:
                visits[present] = present.visitor(name)
            visits[present](element)

        return visit

    def _activity(self, element: Element) -> None:
        if len(self.activities) >= SESSIONS:
            raise NotAnActivity(f"This TCX file has over {SESSIONS} activities")
        self._present = _Activity(sport_named(element.get("Sport")))
        self.activities.append(self._present)

    def _course(self, _: Element) -> None:
        self.courses += 1
        self._present = _Activity(None)


class _Activity:
    """One activity as it is read."""

    def __init__(self, sport: Sport | None) -> None:
        self.sport = sport
        self.columns = Columns()
        self.description: str | None = None
        self.device: str | None = None
        self._lap_starts: list[float] = []
        self._tracks_in_lap = 0
        self._totals = dict.fromkeys(_TOTALS, 0.0)
        self._inside_creator = False

    def visitor(self, name: str) -> Visit:
        """What visits the elements of this name."""
        if name in _SERIES:
            return self.columns.collector(_SERIES[name])
        if name in _TOTALS:
            return self._total(name)
        visitors: dict[str, Visit] = {
            "Lap": self._lap,
            "Track": self._track,
            "Trackpoint": self._point,
            "HeartRateBpm": self._heart_rate,
            "Notes": self._notes,
            "Creator": self._creator,
            "Name": self._name,
        }
        return visitors[name]

    def _total(self, name: str) -> Visit:
        """The distance is said of each lap, and of each sample; the other totals of laps only."""

        def add(element: Element) -> None:
            if not self.columns.open:
                self._totals[name] += number(element.text)
            elif name == "DistanceMeters":
                self.columns.note("distance", element.text)

        return add

    def _lap(self, element: Element) -> None:
        if len(self._lap_starts) >= LAPS:
            raise NotAnActivity(f"This TCX file has over {LAPS} laps")
        self._lap_starts.append(unix_time(element.get("StartTime")))
        self._tracks_in_lap = 0
        self.columns.open = False

    def _track(self, _: Element) -> None:
        # every lap begins a track; a second one in the same lap is the timer started again
        self._tracks_in_lap += 1
        if self._tracks_in_lap > 1:
            self.columns.break_here()

    def _point(self, _: Element) -> None:
        self.columns.begin()

    def _heart_rate(self, element: Element) -> None:
        if self.columns.open and len(element):
            self.columns.note("heart_rate", element[0].text)

    def _notes(self, element: Element) -> None:
        self.description = self.description or one_line(element.text, 2000)

    def _creator(self, _: Element) -> None:
        self._inside_creator = True
        self.columns.open = False

    def _name(self, element: Element) -> None:
        if self._inside_creator:
            self.device = self.device or one_line(element.text)

    def recording(self) -> Recording | None:
        """What was recorded; None where there are neither samples with times nor laps that took any."""
        time = self.columns.time()
        lap_starts = tuple(sorted(start for start in self._lap_starts if math.isfinite(start)))
        seconds = self._known_total("TotalTimeSeconds")
        if not np.isfinite(time).any() and not (lap_starts and seconds):
            return None
        return Recording(
            format="tcx",
            time=time,
            series=self.columns.series(),
            breaks=self.columns.breaks(),
            sport=self.sport,
            started_at_s=lap_starts[0] if lap_starts else None,
            lap_starts=lap_starts,
            totals=Totals(
                distance_m=self._known_total("DistanceMeters"),
                timer_s=seconds,
                elapsed_s=seconds,
                calories_kcal=self._known_total("Calories"),
            ),
            description=self.description,
            device=self.device,
        )

    def _known_total(self, name: str) -> float | None:
        total = self._totals[name]
        return total if math.isfinite(total) and total > 0 else None
