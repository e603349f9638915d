"""The mailer as other services know it: over HTTP with their tokens, and by jobs on the bus."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from services.chassis.bus.assembly import make_transport
from services.chassis.bus.event import Job
from services.chassis.http_answers import PeerRefused
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.mailer import app as mailer
from services.tokendealer import app as tokendealer
from tests.support.database import DatabaseServer
from tests.support.mail import MailServer, mail_server
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually, eventually_is

TOKEN = "T0ken-_" * 6
ORDER = {
    "template": "activate",
    "to": "kim@runnerly.test",
    "locale": "fr",
    "data": {"token": TOKEN, "hours": 48},
    "sub": "runner-1",
}


class Queued(msgspec.Struct):
    id: str


@dataclass
class Service:
    peer: Peer
    server: MailServer
    mongo: Mongo
    logs: RecordedLogs

    async def state(self, message_id: str) -> Any:
        return (await self.peer.get(f"/internal/v1/messages/{message_id}", type=dict[str, Any]))["state"]

    async def enqueue(self, data: dict[str, Any]) -> Job:
        transport = make_transport("", self.mongo, metrics=RecordedMetrics(), log=self.logs.logger())
        job = Job.of("mailer.send", data)
        await transport.enqueue(job)
        return job


@pytest.fixture
async def service(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Service]:
    services = [tokendealer.SERVICE, mailer.SERVICE]
    mongo, logs = Mongo(database_server.uri), RecordedLogs()
    for each in (*services, "runnerly_bus"):
        await mongo.drop(each if isinstance(each, str) else each.database)
    await bootstrap(ProcessSettings(home=tmp_path), mongo, ("tokendealer", "accounts", "mailer"))
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    async with (
        mail_server() as server,
        process(services, database_server.uri, tmp_path, SMTP_URL=server.url) as settings,
    ):
        yield Service(Peer.of("mailer", settings, http, Identity.of("accounts", settings, http)), server, mongo, logs)
        await http.close()
    logs.close()
    mongo.close()


async def test_what_is_ordered_over_http_goes_out_once_per_key(service: Service) -> None:
    first = await service.peer.post("/internal/v1/messages", json=ORDER, key="k1", type=Queued)
    again = await service.peer.post("/internal/v1/messages", json=ORDER, key="k1", type=Queued)
    await eventually_is("sent", lambda: service.state(first.id))

    assert again.id == first.id
    [(to, mail)] = service.server.taken
    assert (to, mail["Subject"]) == ("kim@runnerly.test", "Confirmez votre adresse e-mail")
    assert mail["Message-ID"].startswith(f"<{first.id}@")


async def test_a_job_on_the_bus_is_a_mail(service: Service) -> None:
    job = await service.enqueue(ORDER)

    await eventually(lambda: service.server.taken)
    await eventually_is("sent", lambda: service.state(job.id))


async def test_a_job_that_makes_no_sense_is_parked_and_holds_up_nothing(service: Service) -> None:
    await service.enqueue({**ORDER, "template": "spam"})
    await service.enqueue({**ORDER, "surprise": 1})
    await service.enqueue(ORDER)

    await eventually(lambda: service.server.taken)
    transport = make_transport("", service.mongo, metrics=RecordedMetrics(), log=service.logs.logger())
    await eventually_is(2, lambda: count(transport.parked("jobs.mailer.send")))


async def count(parked: Any) -> int:
    return len(await parked)


@pytest.mark.parametrize(
    ("order", "key", "status"),
    [
        (ORDER, None, 400),
        ({**ORDER, "to": "nobody"}, "k", 422),
        ({**ORDER, "template": "spam"}, "k", 422),
        ({**ORDER, "data": {}}, "k", 422),
    ],
)
async def test_what_can_t_be_sent_is_refused(
    service: Service, order: dict[str, Any], key: str | None, status: int
) -> None:
    with pytest.raises(PeerRefused) as refused:
        await service.peer.post("/internal/v1/messages", json=order, key=key)

    assert refused.value.status == status


async def test_a_message_that_is_not_there_is_a_404(service: Service) -> None:
    with pytest.raises(PeerRefused) as refused:
        await service.state("none")

    assert refused.value.status == 404


async def test_a_person_s_mails_can_be_taken_out_and_forgotten(service: Service) -> None:
    queued = await service.peer.post("/internal/v1/messages", json=ORDER, key="k1", type=Queued)
    await eventually_is("sent", lambda: service.state(queued.id))

    async with service.peer.stream("/internal/v1/people/runner-1") as response:
        archive = io.BytesIO(b"".join([chunk async for chunk in response.chunks()]))
    with tarfile.open(fileobj=archive) as tar:
        assert tar.getnames() == ["schemas/mailer.schema.json", f"mails/{queued.id}.json"]
    assert TOKEN.encode() not in archive.getvalue()

    await service.peer.delete("/internal/v1/people/runner-1")
    with pytest.raises(PeerRefused):
        await service.state(queued.id)


async def test_nobody_but_a_service_comes_in(service: Service) -> None:
    url = service.peer._base_url + "/internal/v1/messages"
    async with aiohttp.ClientSession() as client, client.post(url, json=ORDER) as answer:
        assert answer.status == 401
