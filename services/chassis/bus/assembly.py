"""Which transport carries the messages of a process: RabbitMQ where an address is given, else MongoDB itself."""

from __future__ import annotations

from services.chassis.bus.mongo import DATABASE, MongoTransport
from services.chassis.bus.transport import Transport
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import Mongo


def make_transport(amqp_url: str, mongo: Mongo, *, metrics: Metrics, log: Logger) -> Transport:
    """The transport for these settings; it connects when it is started."""
    if amqp_url:
        from services.chassis.bus.rabbitmq import RabbitTransport  # noqa: PLC0415 - of no use to who has no broker

        return RabbitTransport(amqp_url, log=log, metrics=metrics)
    return MongoTransport(mongo.database(DATABASE), log=log, metrics=metrics)
