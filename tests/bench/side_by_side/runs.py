"""The runs that are uploaded: 10 km in an hour, a sample a second, with hills, noise, two stops, heart rate and cadence."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

from tests.support.recordings import METRES_A_DEGREE, Point, Session, fit, gpx

POINTS = 3600
FIRST = datetime(2026, 1, 1, 6, 0, tzinfo=UTC)
STOPS = (900, 2100)


def a_real_run(number: int, points: int = POINTS) -> list[Point]:
    """One run; no two numbers give the same, and they begin seven hours apart."""
    chance = random.Random(number)
    start = FIRST + timedelta(hours=7 * number)
    lat, lon = 48.8566 + chance.uniform(-0.01, 0.01), 2.3522 + chance.uniform(-0.01, 0.01)
    heading, turning = chance.uniform(0, math.tau), 0.0
    phases = [chance.uniform(0, math.tau) for _ in range(4)]
    heart, along, off_lat, off_lon = 95.0, 0.0, 0.0, 0.0
    found = []
    for second in range(points):
        stands = any(abs(second - stop) < 8 for stop in STOPS)
        pace = 1.007 + 0.08 * math.sin(second / 240 + phases[0]) + 0.03 * math.sin(second / 37 + phases[1])
        speed = 0.05 if stands else max(0.0, 10_000 / 3_600 * pace + chance.gauss(0, 0.05))
        turning = (turning + chance.gauss(0, 0.012)) * 0.97
        heading += turning * 0.25 + math.tau / points
        lat += speed * math.cos(heading) / METRES_A_DEGREE
        lon += speed * math.sin(heading) / (METRES_A_DEGREE * math.cos(math.radians(lat)))
        off_lat, off_lon = 0.9 * off_lat + chance.gauss(0, 1.2e-6), 0.9 * off_lon + chance.gauss(0, 1.8e-6)
        along += speed
        hills = 18 * math.sin(along / 900 + phases[2]) + 6 * math.sin(along / 230 + phases[3])
        goal = 152 + 8 * math.sin(second / 300 + phases[0]) + 12 * second / points - (15 if stands else 0)
        heart += (goal - heart) * 0.02 + chance.gauss(0, 0.3)
        found.append(
            Point(
                at=start + timedelta(seconds=second),
                lat=round(lat + off_lat, 7),
                lon=round(lon + off_lon, 7),
                altitude=round(60 + hills + chance.gauss(0, 0.15), 1),
                heart_rate=int(heart),
                cadence=0 if stands else int(84 + chance.gauss(0, 1.5)),
                distance=along,
                speed=speed,
            )
        )
    return found


def as_gpx(number: int) -> bytes:
    """The run as GPX."""
    return gpx(a_real_run(number), name=f"Run {number}")


def as_fit(number: int) -> bytes:
    """The run as FIT."""
    points = a_real_run(number)
    return fit(Session(points, distance=points[-1].distance))
