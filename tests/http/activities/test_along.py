"""What was measured along an activity, as charts and tables ask for it."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.recordings import Session, a_run, fit, gpx, without
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = ["time", "distance", "altitude", "heart_rate", "cadence", "speed", "lat", "lon"]


async def test_streams_are_parallel_columns_of_what_was_measured(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(1800))))
    streams = (await runner.get(f"/activities/{activity['id']}/streams")).json
    assert list(streams["series"]) == ALL
    assert streams["points"] == 500
    assert {len(column) for column in streams["series"].values()} == {500}
    time, distance = streams["series"]["time"], streams["series"]["distance"]
    assert (time[0], time[-1], distance[0], distance[-1]) == (0, 1800, 0, 5400)
    assert time == sorted(set(time))
    assert set(streams["series"]["cadence"]) == {170}


async def test_streams_are_in_as_many_points_as_asked_for(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(1800))))
    path = f"/activities/{activity['id']}/streams"
    for points, given in ((2, 2), (100, 100), (1801, 1801), (50_000, 1801)):
        streams = (await runner.get(path, points=points, series="distance,altitude")).json
        assert streams["points"] == given
        assert list(streams["series"]) == ["time", "distance", "altitude"]
    assert (await runner.get(path, points=1)).status == 422
    assert (await runner.get(path, points=50_001)).status == 422


async def test_only_series_that_there_are_are_given(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(without(a_run(600), "lat", "lon", "heart_rate"))))
    path = f"/activities/{activity['id']}/streams"
    assert list((await runner.get(path, series="heart_rate, distance")).json["series"]) == ["time", "distance"]
    wrong = await runner.get(path, series="distance,mood")
    assert (wrong.status, wrong.json["errors"][0]["field"]) == (422, "series")


async def test_what_a_point_does_not_know_is_null(runner: Runner) -> None:
    points = [*a_run(300)[:200], *without(a_run(300)[200:], "heart_rate")]
    activity = await runner.uploaded(fit(Session(points)))
    heart_rate = (await runner.get(f"/activities/{activity['id']}/streams")).json["series"]["heart_rate"]
    assert (heart_rate[0], heart_rate[-1]) == (140, None)


async def test_streams_that_one_has_are_not_sent_again(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(600))))
    path = f"/activities/{activity['id']}/streams"
    tag = (await runner.get(path)).headers["Etag"]
    again = await runner.ask("GET", path, headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert (await runner.ask("GET", f"{path}?points=50", headers={"If-None-Match": tag})).status == 200


async def test_streams_come_as_msgpack_too(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(600))))
    path = f"/activities/{activity['id']}/streams"
    packed = await runner.ask("GET", path, headers={"Accept": "application/msgpack"})
    assert packed.headers["Content-Type"] == "application/msgpack"
    assert msgspec.msgpack.decode(packed.body) == (await runner.get(path)).json


async def test_laps_and_splits_are_tables(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(1800), lap_starts=[0, 600])))
    assert activity["laps_count"] == 2
    path = f"/activities/{activity['id']}"
    laps = (await runner.get(f"{path}/laps")).items
    assert [(lap["index"], lap["start_s"], lap["elapsed_s"], lap["distance_m"]) for lap in laps] == [
        (0, 0, 600, 1800),
        (1, 600, 1200, 3600),
    ]
    assert set(laps[0]) == {
        "index",
        "start_s",
        "elapsed_s",
        "moving_s",
        "distance_m",
        "average_heart_rate_bpm",
        "ascent_m",
        "average_speed_mps",
        "grade_adjusted_speed_mps",
    }
    kilometres = (await runner.get(f"{path}/splits")).items
    assert [split["distance_m"] for split in kilometres] == [1000] * 5 + [400]
    miles = (await runner.get(f"{path}/splits", unit="mi")).items
    assert [round(split["distance_m"]) for split in miles] == [1609] * 3 + [572]
    assert (await runner.get(f"{path}/splits", unit="furlong")).status == 422


async def test_best_efforts_are_those_the_run_was_long_enough_for(runner: Runner) -> None:
    activity = await runner.uploaded(fit(Session(a_run(1800))))
    efforts = (await runner.get(f"/activities/{activity['id']}/best-efforts")).items
    assert [(effort["distance_m"], effort["elapsed_s"]) for effort in efforts] == [
        (400, 133.33),
        (1000, 333.33),
        (1609.344, 536.45),
        (3000, 1000),
        (5000, 1666.67),
    ]


async def test_the_original_is_downloaded_under_its_name(runner: Runner) -> None:
    activity = await runner.uploaded(gpx(a_run(300)), 'my "run".gpx')
    told = await runner.get(f"/activities/{activity['id']}/original")
    assert (told.status, told.body, told.headers["Content-Type"]) == (200, gpx(a_run(300)), "application/gpx+xml")
    assert told.headers["Content-Disposition"].startswith("attachment;")
