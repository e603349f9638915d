"""A made-up run as a GPX file: once around, a little uneven, as watches record."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

METRES_A_DEGREE = 111_320.0
EVERY_S = 2


def a_run(start: datetime, *, seconds: int, speed: float) -> bytes:
    """A loop of so many seconds at about this speed (m/s), from somewhere in the temperate north."""
    radius = seconds * speed / (2 * math.pi) / METRES_A_DEGREE
    lat, lon = random.uniform(40, 55), random.uniform(-5, 20)
    points = []
    for second in range(0, seconds, EVERY_S):
        angle = 2 * math.pi * second / seconds
        north, east = radius * math.sin(angle), radius * (1 - math.cos(angle)) / math.cos(math.radians(lat))
        at = (start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        points.append(
            f'<trkpt lat="{lat + north + random.gauss(0, 5e-6):.7f}" lon="{lon + east + random.gauss(0, 5e-6):.7f}">'
            f"<ele>{100 + 20 * math.sin(3 * angle):.1f}</ele><time>{at}</time></trkpt>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="Runnerly load test" '
        'xmlns="http://www.topografix.com/GPX/1/1"><trk><type>running</type><trkseg>'
        f"{''.join(points)}</trkseg></trk></gpx>"
    ).encode()
