"""A worker process that takes a job, says so, and never finishes it: to be killed."""

import asyncio
import json
import sys

from services.chassis.bus.event import Job
from services.chassis.bus.mongo import MongoTransport
from services.chassis.bus.rabbitmq import RabbitTransport
from services.chassis.bus.transport import Transport
from services.chassis.metrics import NoMetrics
from services.chassis.mongo import Mongo
from tests.support.recorded import RecordedLogs


def transport(kind: str, address: dict[str, str], lease_s: float) -> Transport:
    """The transport that the test uses, too."""
    log = RecordedLogs().logger()
    if kind == "rabbitmq":
        return RabbitTransport(address["url"], log=log, metrics=NoMetrics(), prefix=address["prefix"])
    database = Mongo(address["uri"]).database(address["name"])
    return MongoTransport(database, log=log, metrics=NoMetrics(), lease_s=lease_s)


async def main() -> None:
    bus = transport(**json.loads(sys.argv[1]))
    await bus.start()

    async def handler(_: Job) -> None:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        await asyncio.sleep(3600)

    await bus.work("mail", handler)
    await asyncio.sleep(3600)


asyncio.run(main())
