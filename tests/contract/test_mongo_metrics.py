"""The driver tells, from the threads of its pool, what each command took."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.mongo import DatabaseError, Mongo
from services.chassis.mongo_metrics import CommandTimer
from services.chassis.statsd import Statsd
from tests.support.database import DatabaseServer
from tests.support.recorded import MetricCatalogue
from tests.support.statsd import StatsdReceiver


async def test_every_command_is_timed_those_that_fail_too(database_server: DatabaseServer) -> None:
    with StatsdReceiver() as receiver:
        metrics = Statsd(receiver.url, MetricCatalogue.read(), strict=True, flush_s=0.05)
        mongo = Mongo(database_server.uri, listeners=[CommandTimer(metrics)])
        things = mongo.database("timed").collection("things")
        await asyncio.gather(*(things.insert_one({"_id": number}) for number in range(200)))
        with pytest.raises(DatabaseError):
            await things.aggregate([{"$nonsense": {}}]).to_list(1)
        await mongo.drop("timed")
        mongo.close()
        metrics.close()
        totals = receiver.totals()
    assert totals.timing_counts["runnerly.mongo.command.timed.insert.ok"] == 200
    assert totals.timing_counts["runnerly.mongo.command.timed.aggregate.failed"] == 1
    assert all(0 < ms < 10_000 for ms in totals.timings["runnerly.mongo.command.timed.insert.ok"])
