"""Places on the earth: how far apart, which box, and Google's encoding of a line.

Lengths are on the WGS 84 ellipsoid by its two radii of curvature at the middle latitude, exact to millimetres a
kilometre over the metres between two samples (where a sphere is wrong by up to 0.5 %).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from services.activities.domain.recording import Flags, Floats, Rows

_EQUATOR_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563  # WGS 84
_EXCURSION_S = 60.0
_PASSES = 4
_ECCENTRICITY_2 = _FLATTENING * (2 - _FLATTENING)


class Bounds(Struct, frozen=True):
    """The box around a track, in degrees. East is less than west where it crosses the date line."""

    south: float
    west: float
    north: float
    east: float


def lengths_m(lat: Floats, lon: Floats) -> Floats:
    """The length of each step between consecutive places; one fewer than there are places."""
    return _steps_m(np.stack((lat[:-1], lat[1:])), np.stack((lon[:-1], lon[1:])))


def distances_m(lat: Floats, lon: Floats, to_lat: float, to_lon: float) -> Floats:
    """How far each of these places is from one, which must be near for this to be exact."""
    return _steps_m(np.stack((lat, np.full_like(lat, to_lat))), np.stack((lon, np.full_like(lon, to_lon))))


def _steps_m(lat: Floats, lon: Floats) -> Floats:
    """The length of each step from a place in the first row to the one below it in the second."""
    middle = np.radians((lat[0] + lat[1]) / 2)
    bend = 1 - _ECCENTRICITY_2 * np.sin(middle) ** 2
    meridian = _EQUATOR_M * (1 - _ECCENTRICITY_2) / bend**1.5
    prime_vertical = _EQUATOR_M / np.sqrt(bend)
    north = np.radians(lat[1] - lat[0]) * meridian
    turn = (lon[1] - lon[0] + 180.0) % 360.0 - 180.0  # the short way, over the date line too
    east = np.radians(turn) * prime_vertical * np.cos(middle)
    return np.asarray(np.hypot(north, east))


def reached(time: Floats, lat: Floats, lon: Floats, fastest_mps: float) -> Flags:
    """Of each place but the first, whether one can have come there from the one before."""
    return np.asarray(lengths_m(lat, lon) <= fastest_mps * np.diff(time))


def without_excursions(time: Floats, lat: Floats, lon: Floats, fastest_mps: float) -> Rows:
    """The rows to keep: all but short runs of places that are reached and left by impossible jumps only.

    A run is an excursion where the places before and after it are within reach of each other.
    """
    rows = np.arange(len(time))
    for _ in range(_PASSES):
        firsts = np.flatnonzero(~reached(time[rows], lat[rows], lon[rows], fastest_mps)) + 1
        if len(firsts) < 2:
            break
        # the runs between two jumps, by the rows before, in and after them
        before, first, last, after = rows[firsts[:-1] - 1], rows[firsts[:-1]], rows[firsts[1:] - 1], rows[firsts[1:]]
        ends = np.stack((before, after))
        within_reach = _steps_m(lat[ends], lon[ends]) <= fastest_mps * (time[after] - time[before])
        excursions = np.flatnonzero(within_reach & (time[last] - time[first] <= _EXCURSION_S))
        if not len(excursions):
            break
        excursions = _not_adjacent(excursions)
        dropped = np.zeros(len(time) + 1, dtype=np.intp)
        dropped[first[excursions]] += 1
        dropped[last[excursions] + 1] -= 1
        rows = rows[np.cumsum(dropped)[rows] == 0]
    return rows


def _not_adjacent(runs: Rows) -> Rows:
    """Of runs next to each other every second: where two tracks alternate, one of them is the excursion."""
    groups = np.flatnonzero(np.diff(runs, prepend=-2) > 1)
    place_in_group = np.arange(len(runs)) - np.repeat(groups, np.diff(np.append(groups, len(runs))))
    return np.asarray(runs[place_in_group % 2 == 0])


def bounds_of(lat: Floats, lon: Floats) -> Bounds:
    """The box around places; the narrower one of those that do and don't cross the date line."""
    around = lon % 360.0
    crosses = np.ptp(around) < np.ptp(lon)
    west, east = (around.min(), around.max()) if crosses else (lon.min(), lon.max())
    west, east = (float((degrees + 180.0) % 360.0 - 180.0) if crosses else float(degrees) for degrees in (west, east))
    return Bounds(round(float(lat.min()), 6), round(west, 6), round(float(lat.max()), 6), round(east, 6))


def encoded(lat: Floats, lon: Floats) -> str:
    """A line in Google's encoded polyline format, five decimals."""
    steps = np.diff(np.rint(np.column_stack((lat, lon)) * 1e5).astype(np.int64), axis=0, prepend=0)
    return "".join(_encoded_number(int(number)) for number in steps.ravel())


def _encoded_number(number: int) -> str:
    left = ~(number << 1) if number < 0 else number << 1
    characters = []
    while left >= 0x20:
        characters.append(chr((0x20 | left & 0x1F) + 63))
        left >>= 5
    characters.append(chr(left + 63))
    return "".join(characters)
