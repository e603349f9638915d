"""Sending on a real database to a real mail server, at hours of the test's choosing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.addresses import parse_address
from services.chassis.idempotency import unkeyed
from services.chassis.mongo import Database
from services.chassis.problems import Invalid
from services.mailer.clients.smtp import SmtpClient, read_url
from services.mailer.composing import Sender
from services.mailer.dispatch import Dispatcher
from services.mailer.domain.messages import Message, State
from services.mailer.rendering import Renderer
from services.mailer.store import COLLECTIONS, Store
from services.mailer.usecases.queue_message import Order, QueueMessage
from services.mailer.usecases.send_message import SendMessage
from tests.support.mail import MailServer, mail_server
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually

LEASE = timedelta(minutes=2)
TOKEN = "T0ken-_" * 6


@dataclass
class Office:
    """A mailer whose clock the test turns."""

    store: Store
    server: MailServer
    now: datetime = datetime(2026, 5, 1, 12, tzinfo=UTC)
    numbers: list[int] = field(default_factory=list)

    @property
    def queue(self) -> QueueMessage:
        return QueueMessage(self.store, lambda: self.now)

    def sender(self, url: str | None = None) -> SendMessage:
        return SendMessage(
            store=self.store,
            renderer=Renderer("http://run.test"),
            carrier=SmtpClient(read_url(url or self.server.url), our_name="runnerly.test"),
            sender=Sender("Runnerly", parse_address("no-reply@runnerly.test")),
            hash_address=lambda key: f"hash of {key}",
            clock=lambda: self.now,
            give_up_after=timedelta(hours=24),
            suppressed_for=timedelta(days=30),
        )

    async def order(self, to: str = "kim@runnerly.test", template: str = "activate", locale: str = "de") -> Message:
        self.numbers.append(1)
        data = {"token": TOKEN, "hours": 48} if template != "already-registered" else {}
        return await self.queue(f"m{len(self.numbers)}", Order(template, to, locale, data), unkeyed())

    async def send_due(self, url: str | None = None) -> Message | None:
        """Send what has been due the longest, if anything is."""
        claim = await self.store.claim(self.now, LEASE)
        return await self.sender(url)(claim) if claim else None


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    await database.apply(COLLECTIONS)
    async with mail_server() as server:
        yield Office(Store(database, kept_for=timedelta(days=30)), server)


async def test_a_mail_is_sent_in_its_reader_s_language_once(office: Office) -> None:
    await office.order()

    sent = await office.send_due()

    assert sent
    assert sent.state is State.SENT
    [(to, mail)] = office.server.taken
    assert (to, mail["Subject"]) == ("kim@runnerly.test", "Bestätige deine E-Mail-Adresse")
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"http://run.test/activate?token={TOKEN}" in body.get_content()
    assert await office.send_due() is None


async def test_what_is_refused_for_now_is_sent_later_under_the_same_message_id(office: Office) -> None:
    refusals = ["451 4.3.0 Later", "450 4.2.1 Later"]
    office.server.at_data = lambda _: refusals.pop() if refusals else None
    await office.order()

    for tries in (1, 2):
        deferred = await office.send_due()
        assert deferred
        assert (deferred.state, len(deferred.attempts)) == (State.QUEUED, tries)
        assert await office.send_due() is None
        assert deferred.due_at
        office.now = deferred.due_at
    sent = await office.send_due()

    assert sent
    assert (sent.state, [attempt.code for attempt in sent.attempts]) == (State.SENT, [450, 451, 250])
    [(_, mail)] = office.server.taken
    assert mail["Message-ID"] == "<m1@runnerly.test>"


async def test_a_dead_server_delays_mail_and_loses_none(office: Office) -> None:
    await office.order()

    dead = await office.send_due("smtp://127.0.0.1:9")
    assert dead
    assert dead.state is State.QUEUED
    office.now += timedelta(minutes=1)
    alive = await office.send_due()

    assert alive
    assert alive.state is State.SENT


async def test_what_is_refused_for_good_is_not_tried_again(office: Office) -> None:
    office.server.at_data = lambda _: "554 5.7.1 We don't want this"
    await office.order()

    failed = await office.send_due()

    assert failed
    assert (failed.state, failed.to, failed.data) == (State.FAILED, None, None)
    office.now += timedelta(days=1)
    assert await office.send_due() is None


async def test_a_mailbox_that_is_not_there_gets_no_more_mail_for_a_while(office: Office) -> None:
    office.server.at_recipient = lambda _: "550 5.1.1 <kim@runnerly.test> unknown"
    await office.order("kim@runnerly.test")
    refused = await office.send_due()
    assert refused
    assert refused.attempts[0].detail == "5.1.1 <address> unknown"

    office.server.at_recipient = lambda _: None
    await office.order("KIM@Runnerly.test")
    await office.order("lou@runnerly.test")
    states = {message.state for _ in range(2) if (message := await office.send_due())}
    office.now += timedelta(days=31)
    await office.order("kim@runnerly.test")
    await office.send_due()

    assert states == {State.SUPPRESSED, State.SENT}
    assert [to for to, _ in office.server.taken] == ["lou@runnerly.test", "kim@runnerly.test"]


@pytest.mark.parametrize(
    ("to", "template", "data"),
    [
        ("kim", "activate", {"token": TOKEN, "hours": 48}),
        ("kim@runnerly.test\r\nBcc: all@runnerly.test", "activate", {"token": TOKEN, "hours": 48}),
        ("kim@runnerly.test", "spam", {}),
        ("kim@runnerly.test", "activate", {"token": "x"}),
    ],
)
async def test_what_can_t_be_sent_is_refused_at_once(
    office: Office, to: str, template: str, data: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        await office.queue("m1", Order(template, to, "en", data), unkeyed())

    assert await office.send_due() is None


async def test_the_dispatcher_sends_several_at_once_as_soon_as_it_is_woken(office: Office) -> None:
    office.server.hold = asyncio.Event()
    office.now = datetime.now(UTC)
    logs, metrics = RecordedLogs(), RecordedMetrics()
    dispatcher = Dispatcher(
        office.store, office.sender(), at_once=3, clock=lambda: office.now, metrics=metrics, log=logs.logger()
    )
    running = asyncio.create_task(dispatcher.run())
    measuring = asyncio.create_task(dispatcher.measure())
    for number in range(5):
        await office.order(f"kim{number}@runnerly.test")
    dispatcher.wake()

    await eventually(lambda: office.server.tries == 3)
    assert office.server.taken == []
    office.server.hold.set()
    await eventually(lambda: len(office.server.taken) == 5)
    running.cancel()
    measuring.cancel()
    await asyncio.wait([running, measuring])

    assert sorted(to for to, _ in office.server.taken) == [f"kim{number}@runnerly.test" for number in range(5)]
    assert [sample.labels for sample in metrics.named("mail.delivery")] == 5 * [
        {"template": "activate", "outcome": "sent"}
    ]
    assert {sample.value for sample in metrics.named("mail.waiting")} == {0.0}
    assert logs.events.count("mail.sent") == 5
    assert TOKEN not in str(logs.records)
    assert "kim0" not in str(logs.records)
    logs.close()


async def test_a_dispatcher_that_is_stopped_lets_what_is_being_handed_over_end(office: Office) -> None:
    office.server.hold = asyncio.Event()
    office.now = datetime.now(UTC)
    logs = RecordedLogs()
    dispatcher = Dispatcher(
        office.store, office.sender(), at_once=3, clock=lambda: office.now, metrics=RecordedMetrics(), log=logs.logger()
    )
    await office.order()
    running = asyncio.create_task(dispatcher.run())
    await eventually(lambda: office.server.tries == 1)

    running.cancel()
    await asyncio.sleep(0.05)
    office.server.hold.set()
    await asyncio.wait([running])

    found = await office.store.read("m1")
    assert found
    assert found.state is State.SENT
    logs.close()


async def test_a_mail_that_can_t_be_rendered_is_told_of_and_kept(office: Office) -> None:
    """A template that was renamed while mails waited must not stop the others."""
    logs = RecordedLogs()
    office.now = datetime.now(UTC)
    await office.store.add(
        Message("old", "gone", "kim@runnerly.test", "en", {}, office.now, due_at=office.now), unkeyed()
    )
    await office.order("lou@runnerly.test")
    dispatcher = Dispatcher(
        office.store, office.sender(), at_once=1, clock=lambda: office.now, metrics=RecordedMetrics(), log=logs.logger()
    )
    running = asyncio.create_task(dispatcher.run())
    await eventually(lambda: len(office.server.taken) == 1 and "mail.broken" in logs.events)
    running.cancel()
    await asyncio.wait([running])

    found = await office.store.read("old")
    assert found
    assert found.state is State.QUEUED
    office.now += timedelta(hours=49)
    failed = await office.send_due()
    assert failed
    assert (failed.id, failed.state, failed.to) == ("old", State.FAILED, None)
    logs.close()
