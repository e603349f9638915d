"""FIT, Garmin's binary format, decoded by `fitfast`. One recording a session, so that a triathlon is five.

Where the decoder refuses a file as damaged, the messages before the damage are read, where need be by Garmin's own
decoder. Only files of the type `activity` are activities: courses, workouts, settings, weights and daily monitoring are
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np

from services.activities.domain.problems import AnotherKindOfFile, NotAnActivity
from services.activities.domain.recording import Floats, Recording, Totals
from services.activities.domain.sports import Sport
from services.activities.formats.fit_columns import FIELDS, TIME, Columns, columns_of
from services.activities.formats.fit_fast import decoded_by_fitfast, decoded_in_columns
from services.activities.formats.fit_frames import mended
from services.activities.formats.fit_garmin import Message, Messages, decoded_by_garmin
from services.activities.formats.limits import LAPS, SAMPLES, SESSIONS
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import one_line

_SEMICIRCLE_DEGREES = 180 / 2**31
_TIMER_STOPS = ("stop", "stop_all", "stop_disable", "stop_disable_all")
_LONGEST_OFFSET_S = 14 * 3600


def read_fit(content: bytes) -> list[Recording]:
    """The sessions of a FIT file, in the order of their start. Raises `NotAnActivity` where there are none."""
    found = decoded_in_columns(content)
    return recordings_in(_decoded(content)) if found is None else _recordings_in(*found)


def recordings_in(messages: Messages) -> list[Recording]:
    """The sessions in the messages of a file. Raises `NotAnActivity` where there are none."""
    return _recordings_in(messages, columns_of(messages.get("record", ())))


def _recordings_in(messages: Messages, columns: Columns) -> list[Recording]:
    _check_type(messages)
    time = columns.get(TIME, np.zeros(0))
    if len(time) > SAMPLES:
        raise NotAnActivity(f"This file has over {SAMPLES} samples")
    sessions = _sessions(messages)
    if not len(time) and not sessions:
        raise NotAnActivity("This FIT file has neither a session nor records with times")
    return _recordings(messages, time, _series(columns), sessions)


def _decoded(content: bytes) -> Messages:
    decoded = decoded_by_fitfast(content)
    if decoded is None:
        whole_messages = mended(content)
        decoded = decoded_by_fitfast(whole_messages) or decoded_by_garmin(whole_messages)
    if decoded is None:
        raise NotAnActivity("This FIT file is damaged beyond reading")
    return decoded


def _check_type(messages: Messages) -> None:
    types = [str(file_id.get("type", "activity")) for file_id in messages.get("file_id", ())]
    if types and "activity" not in types:
        raise AnotherKindOfFile(f"This FIT file is of the type {types[0]}, not an activity")


def _sessions(messages: Messages) -> list[Message]:
    """The sessions with a start, in its order, each once (a chained file says the same twice)."""
    distinct: dict[tuple[float, str], Message] = {}
    for session in messages.get("session", ()):
        start = _seconds(session, "start_time")
        if start is not None:
            # a field may hold a list, which is no key
            distinct.setdefault((start, f"{session.get('sport')} {session.get('total_elapsed_time')}"), session)
    if len(distinct) > SESSIONS:
        raise NotAnActivity(f"This FIT file has over {SESSIONS} sessions")
    return sorted(distinct.values(), key=lambda session: _seconds(session, "start_time") or 0.0)


def _recordings(
    messages: Messages, time: Floats, series: Mapping[str, Floats], sessions: Sequence[Message]
) -> list[Recording]:
    pauses, laps = _pauses(messages), _lap_starts(messages)
    device, offset = _device(messages), _utc_offset_s(messages)
    starts = [_seconds(session, "start_time") or 0.0 for session in sessions]
    edges = [-np.inf, *starts[1:], np.inf]
    recordings = []
    for index, session in enumerate(sessions or [{}]):
        begin, end = edges[index], edges[index + 1]
        rows = (time >= begin) & (time < end)
        recordings.append(
            Recording(
                format="fit",
                time=time[rows],
                series={name: column[rows] for name, column in series.items()},
                sport=_sport(session),
                started_at_s=_seconds(session, "start_time"),
                pauses=tuple(pause for pause in pauses if begin <= pause[0] < end),
                lap_starts=tuple(start for start in laps if begin <= start < end),
                totals=_totals(session),
                device=device,
                utc_offset_s=offset,
            )
        )
    return recordings


def _series(columns: Columns) -> dict[str, Floats]:
    series: dict[str, Floats] = {}
    for name, fields in FIELDS.items():
        found = [columns[field] for field in fields if field in columns]
        if not found:
            continue
        column = reduce(lambda best, other: np.where(np.isnan(best), other, best), found)
        if not np.isnan(column).all():
            series[name] = column * _SEMICIRCLE_DEGREES if name in ("lat", "lon") else column
    if "cadence" in series and "fractional_cadence" in columns:
        series["cadence"] = series["cadence"] + np.nan_to_num(columns["fractional_cadence"])
    return series


def _pauses(messages: Messages) -> list[tuple[float, float]]:
    """The spans in which the timer stood still, in order; a stop that nothing follows is the end, not a pause."""
    events = sorted(
        (moment, str(event.get("event_type")))
        for event in messages.get("event", ())
        if event.get("event") == "timer" and (moment := _seconds(event, "timestamp")) is not None
    )
    pauses: list[tuple[float, float]] = []
    stopped_at: float | None = None
    for moment, kind in events:
        if kind in _TIMER_STOPS and stopped_at is None:
            stopped_at = moment
        elif kind == "start" and stopped_at is not None:
            pauses.append((stopped_at, moment))
            stopped_at = None
    return pauses


def _lap_starts(messages: Messages) -> list[float]:
    starts = sorted({start for lap in messages.get("lap", ()) if (start := _seconds(lap, "start_time")) is not None})
    if len(starts) > LAPS:
        raise NotAnActivity(f"This FIT file has over {LAPS} laps")
    return starts


def _sport(session: Message) -> Sport | None:
    sport = sport_named(session.get("sport"))
    if sport == "fitness" and "rowing" in str(session.get("sub_sport")):
        return "rowing"
    return sport


def _totals(session: Message) -> Totals:
    number: Callable[..., float | None] = lambda *fields: next(  # noqa: E731 - a name for the first field that is there
        (value for field in fields if (value := _number(session, field)) is not None), None
    )
    return Totals(
        distance_m=number("total_distance"),
        elapsed_s=number("total_elapsed_time"),
        timer_s=number("total_timer_time"),
        ascent_m=number("total_ascent"),
        descent_m=number("total_descent"),
        calories_kcal=number("total_calories"),
        average_heart_rate_bpm=number("avg_heart_rate"),
        max_heart_rate_bpm=number("max_heart_rate"),
        average_cadence=number("avg_cadence"),
        average_power_w=number("avg_power"),
        max_speed_mps=number("max_speed", "enhanced_max_speed"),
    )


def _device(messages: Messages) -> str | None:
    """The device's name as well as the file tells: a product's name, else the maker and the product's number."""
    for message in (*messages.get("file_id", ()), *messages.get("device_info", ())):
        product_name = message.get("product_name")
        if isinstance(product_name, str) and (name := one_line(product_name)):
            return name
    for message in messages.get("file_id", ()):
        maker = message.get("manufacturer")
        if maker is not None:
            product = message.get("garmin_product") or message.get("product") or ""
            return one_line(f"{str(maker).replace('_', ' ').title()} {product}")
    return None


def _utc_offset_s(messages: Messages) -> int | None:
    for message in messages.get("activity", ()):
        utc, local = _seconds(message, "timestamp"), _seconds(message, "local_timestamp")
        if utc is not None and local is not None and abs(local - utc) <= _LONGEST_OFFSET_S:
            return round((local - utc) / 900) * 900
    return None


def _number(message: Message, field: str) -> float | None:
    value = message.get(field)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _seconds(message: Message, field: str) -> float | None:
    value = message.get(field)
    return float(value) if isinstance(value, int | float) and value > 0 else None
