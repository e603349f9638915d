"""Metrics are exact, bounded, declared, safe from any thread, and never in anybody's way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.catalogue import MetricCatalogue, MetricSpec
from services.chassis.metrics import Metrics, NoMetrics, UndeclaredMetric
from services.chassis.statsd import DATAGRAM, SAMPLES, Statsd, StatsdAddress, open_metrics, pack
from services.chassis.vitals import Vitals, memory_bytes, overslept_ms
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.statsd import StatsdReceiver, Totals, parse


def spec(kind: Any, *labels: str, series: int = 1000) -> MetricSpec:
    return MetricSpec(kind, "things", "what it is", dict.fromkeys(labels, "a label"), series)


CATALOGUE = MetricCatalogue(
    {
        "run.kept": spec("counter"),
        "run.ran": spec("counter", "shoe", "ground", series=5),
        "run.took": spec("timing", "shoe"),
        "run.depth": spec("gauge"),
        "metrics.undeclared": spec("counter"),
    }
)
NEVER = 3600.0

Connect = Callable[..., Statsd]


@pytest.fixture
def receiver() -> Iterator[StatsdReceiver]:
    with StatsdReceiver() as receiver:
        yield receiver


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client that only sends when it is told to, closed after the test."""
    with ExitStack() as stack:

        def make(url: str, **changes: Any) -> Statsd:
            usual: dict[str, Any] = {"strict": True, "flush_s": NEVER}
            client = Statsd(url, CATALOGUE, **(usual | changes))
            stack.callback(client.close)
            return client

        yield make


def test_samples_are_added_up_and_sent_together(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for _ in range(1000):
        metrics.incr("run.kept")
    metrics.incr("run.kept", 0.5)
    metrics.incr("run.ran", shoe="red", ground="wet")
    metrics.incr("run.ran", 2, ground="wet", shoe="red")
    metrics.timing("run.took", 12.3456, shoe="red")
    metrics.timing("run.took", 7, shoe="red")
    metrics.gauge("run.depth", 3)
    metrics.gauge("run.depth", 5)
    metrics.flush()
    totals = receiver.totals()
    assert totals.counters == {"runnerly.run.kept": 1000.5, "runnerly.run.ran.red.wet": 3}
    assert totals.timings == {"runnerly.run.took.red": [12.346, 7]}
    assert totals.gauges == {"runnerly.run.depth": 5}
    assert len(receiver.datagrams) == 1


def test_each_sample_is_sent_once(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for number in range(10):
        metrics.incr("run.kept", number)
        metrics.timing("run.took", number, shoe="red")
        metrics.flush()
        metrics.flush()
    totals = receiver.totals()
    assert totals.counters["runnerly.run.kept"] == 45
    assert totals.timings["runnerly.run.took.red"] == list(range(10))


def test_the_thread_flushes_by_itself_and_closing_sends_the_rest(receiver: StatsdReceiver) -> None:
    metrics = Statsd(receiver.url, CATALOGUE, strict=True, flush_s=0.01)
    metrics.incr("run.kept")
    waited = time.monotonic() + 10
    while not receiver.datagrams and time.monotonic() < waited:
        time.sleep(0.01)
    assert receiver.datagrams
    metrics.incr("run.kept", 4)
    metrics.close()
    assert receiver.totals().counters["runnerly.run.kept"] == 5


def test_a_gauge_below_zero_is_a_level_and_not_a_change(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for value in (7, -3, -4.5):
        metrics.gauge("run.depth", value)
        metrics.flush()
    assert receiver.totals().gauges["runnerly.run.depth"] == -4.5


def test_many_timings_are_sampled_fairly_and_their_count_stays_true(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for number in range(10_000):
        metrics.timing("run.took", number, shoe="red")
    metrics.flush()
    totals = receiver.totals()
    kept = totals.timings["runnerly.run.took.red"]
    assert len(kept) == SAMPLES
    assert totals.timing_counts["runnerly.run.took.red"] == pytest.approx(10_000, rel=0.001)
    # the mean of 200 of them is within six standard errors of that of all
    assert sum(kept) / len(kept) == pytest.approx(5_000, abs=6 * 2_887 / SAMPLES**0.5)


def test_datadog_gets_labels_as_tags(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(f"{receiver.url}?prefix=club", tags="datadog")
    metrics.incr("run.ran", shoe="red/blue", ground="")
    metrics.incr("run.kept")
    for number in range(SAMPLES * 2):
        metrics.timing("run.took", number, shoe="red")
    metrics.flush()
    receiver.close()
    ran, kept, *took = receiver.samples
    assert (ran.name, ran.tags) == ("club.run.ran", {"shoe:red/blue", "ground:none"})
    assert (kept.name, kept.tags) == ("club.run.kept", frozenset())
    assert {(sample.rate, sample.tags) for sample in took} == {(0.5, frozenset({"shoe:red"}))}


@given(value=st.text(max_size=30), tags=st.sampled_from(["graphite", "datadog"]))
def test_no_value_of_a_label_breaks_a_line(value: str, tags: Any) -> None:
    metrics = Statsd("udp://127.0.0.1:9", CATALOGUE, strict=True, flush_s=NEVER, tags=tags)
    metrics.timing("run.took", 1, shoe=value)
    samples = [sample for datagram in pack(metrics._take()) for sample in parse(datagram)]
    assert len(samples) == 1
    assert samples[0].name.startswith("runnerly.run.took")
    metrics.close()


@given(lines=st.lists(st.integers(1, DATAGRAM), max_size=40))
def test_datagrams_fit_and_hold_every_line_once(lines: list[int]) -> None:
    made = [f"{number:x}"[-1] * size for number, size in enumerate(lines)]
    packed = list(pack(made))
    assert [line for datagram in packed for line in datagram.decode().split("\n")] == made or made == packed == []
    assert all(len(datagram) <= DATAGRAM for datagram in packed)


def test_made_up_labels_fill_neither_our_memory_nor_the_servers(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for number in range(5000):
        metrics.incr("run.ran", shoe=f"/{number}", ground="wet")
    metrics.flush()
    totals = receiver.totals()
    assert len(totals.counters) == 6
    assert totals.counters["runnerly.run.ran.other.other"] == 4995
    assert len(metrics._counters) == 5


@pytest.mark.parametrize(
    ("emit", "complaint"),
    [
        (lambda metrics: metrics.incr("run.lost"), "not declared"),
        (lambda metrics: metrics.gauge("run.kept", 1), "declared as a counter, not a gauge"),
        (lambda metrics: metrics.incr("run.kept", colour="red"), r"has the labels \[\], not \['colour'\]"),
        (lambda metrics: metrics.timing("run.took", 1), r"has the labels \['shoe'\], not \[\]"),
    ],
)
def test_what_is_not_declared_raises_where_strict_and_is_dropped_and_counted_where_not(
    receiver: StatsdReceiver, connect: Connect, emit: Callable[[Metrics], None], complaint: str
) -> None:
    for strict in (connect(receiver.url), NoMetrics(CATALOGUE), RecordedMetrics(CATALOGUE)):
        with pytest.raises(UndeclaredMetric, match=complaint):
            emit(strict)
    production = connect(receiver.url, strict=False)
    production.incr("run.kept")
    emit(production)
    production.flush()
    assert receiver.totals().counters == {"runnerly.run.kept": 1, "runnerly.metrics.undeclared": 1}


def test_what_is_no_number_is_not_sent(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    for value in (float("nan"), float("inf")):
        metrics.incr("run.kept", value)
        metrics.timing("run.took", value, shoe="red")
        metrics.gauge("run.depth", value)
    metrics.flush()
    receiver.close()
    assert receiver.datagrams == []


def test_from_many_threads_nothing_is_lost_or_counted_twice(receiver: StatsdReceiver, connect: Connect) -> None:
    metrics = connect(receiver.url)
    running = threading.Event()

    def emit() -> None:
        for number in range(5000):
            metrics.incr("run.kept")
            metrics.timing("run.took", number, shoe="red")
            metrics.gauge("run.depth", number)

    def flush() -> None:
        while not running.is_set():
            metrics.flush()

    threads = [threading.Thread(target=emit) for _ in range(6)]
    flusher = threading.Thread(target=flush)
    for thread in (*threads, flusher):
        thread.start()
    for thread in threads:
        thread.join()
    running.set()
    flusher.join()
    metrics.flush()
    totals = receiver.totals()
    assert totals.counters["runnerly.run.kept"] == 30_000
    assert totals.timing_counts["runnerly.run.took.red"] == pytest.approx(30_000, rel=0.001)


def test_while_the_sender_is_stuck_measuring_goes_on(receiver: StatsdReceiver, connect: Connect) -> None:
    """That this test ends is the proof: the sender is let go only after everything was measured."""
    metrics = connect(receiver.url)
    entered, let_go = threading.Event(), threading.Event()
    really_send = metrics._packets.send

    def stuck(datagram: bytes) -> None:
        entered.set()
        assert let_go.wait(20)
        really_send(datagram)

    metrics._packets.send = stuck  # type: ignore[method-assign]
    metrics.incr("run.kept")
    flush = threading.Thread(target=metrics.flush)
    flush.start()
    assert entered.wait(10)
    for _ in range(10_000):
        metrics.incr("run.kept")
        metrics.timing("run.took", 1, shoe="red")
    let_go.set()
    flush.join()
    metrics.flush()
    totals = receiver.totals()
    assert totals.counters["runnerly.run.kept"] == 10_001
    assert len(totals.timings["runnerly.run.took.red"]) == SAMPLES


def test_a_server_that_is_away_costs_packets_and_nothing_else_and_gets_the_next_when_back(connect: Connect) -> None:
    away = StatsdReceiver()
    away.close()
    metrics = connect(away.url)
    for _ in range(10):
        metrics.incr("run.kept")
        metrics.flush()
    with StatsdReceiver(away.port) as back:
        metrics.incr("run.kept", 7)
        metrics.flush()
        assert back.totals().counters["runnerly.run.kept"] == 7


def test_a_name_without_an_address_is_counted_as_unsent(connect: Connect) -> None:
    metrics = connect("udp://statsd.invalid:8125")
    metrics.incr("run.kept")
    metrics.flush()
    assert metrics.unsent == 1


def test_a_timer_measures_its_block_also_when_it_raises(
    receiver: StatsdReceiver, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = connect(receiver.url)
    with metrics.timer("run.took", shoe="red"):
        time.sleep(0.02)
    clock = SimpleNamespace(perf_counter=iter([10.0, 10.007]).__next__)
    monkeypatch.setattr("services.chassis.metrics.time", clock)
    with pytest.raises(ZeroDivisionError), metrics.timer("run.took", shoe="red"):
        raise ZeroDivisionError
    metrics.flush()
    first, second = receiver.totals().timings["runnerly.run.took.red"]
    assert first >= 20
    assert second == 7


@pytest.mark.parametrize("url", ["statsd:8125", "tcp://statsd:8125", "udp://statsd", "udp://statsd:8125?prefx=a"])
def test_a_wrong_url_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match="STATSD_URL must be udp://"):
        StatsdAddress.parse(url)


def test_without_a_url_nothing_is_sent_but_still_checked_where_strict() -> None:
    with pytest.raises(UndeclaredMetric):
        open_metrics(None, CATALOGUE, strict=True).incr("run.lost")
    open_metrics(None, CATALOGUE, strict=False).incr("run.lost")
    with pytest.raises(ValueError, match="STATSD_TAGS"):
        open_metrics("udp://statsd:8125", CATALOGUE, strict=True, tags="influx")  # type: ignore[arg-type]


def test_the_receiver_adds_up_like_statsd() -> None:
    """The check itself, on lines from the statsd documentation."""
    totals = Totals(parse(b"gorets:1|c\ngorets:1|c|@0.1\nglork:320|ms|@0.1\ngaugor:333|g\ngaugor:-10|g\ngaugor:+4|g"))
    assert totals.counters["gorets"] == pytest.approx(11)
    assert totals.timing_counts["glork"] == pytest.approx(10)
    assert totals.gauges["gaugor"] == 327
    for bad in (b"a b:1|c", b"a:1e5|c", b"a:1|q", b"a:|c", b"", b"a:1|c\n", b"x" * 2000):
        with pytest.raises(AssertionError):
            parse(bad)


async def test_vitals_measure_the_process_and_tell_of_a_stalled_loop() -> None:
    logs, metrics = RecordedLogs(), RecordedMetrics()
    vitals = Vitals("activities", metrics, logs.logger("activities"), logs.logs)
    vitals.look()
    vitals.lag(3.0)
    assert logs.events == []
    vitals.lag(700.0)
    assert logs.fields("loop.stalled")["ms"] == 700
    assert 10 < metrics.named("process.memory")[0].value < 10_000
    assert metrics.named("process.cpu")[0].value > 0
    assert [sample.value for sample in metrics.named("process.loop_lag")] == [3.0, 700.0]
    logs.close()


async def test_vitals_count_what_the_logs_lost() -> None:
    logs, metrics = RecordedLogs(strict=False), RecordedMetrics()
    vitals = Vitals("activities", metrics, logs.logger("activities"), logs.logs)
    logs.logger().info("activity.exploded")
    logs.logs._ways[0].dropped = 5
    for _ in range(2):
        vitals.look()
    assert [(sample.value, sample.labels["lane"]) for sample in metrics.named("log.dropped")] == [(5, "memory")]
    assert [sample.value for sample in metrics.named("log.undeclared")] == [1]
    logs.close()


async def test_a_blocked_loop_oversleeps() -> None:
    sleeping = asyncio.create_task(overslept_ms(0.01))
    await asyncio.sleep(0)
    time.sleep(0.1)
    assert await sleeping >= 50
    assert memory_bytes() > 10_000_000
