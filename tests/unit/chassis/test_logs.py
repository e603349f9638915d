"""Logging costs a request an append, loses nothing it was given time for, and says what it lost."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.chassis import context
from services.chassis.catalogue import LogCatalogue
from services.chassis.log_records import Record
from services.chassis.logs import Logs, RequestRecord, UndeclaredEvent, configure_logging
from tests.support.gelf import DeafServer, TcpReceiver, UdpReceiver, violations
from tests.support.recorded import Memory

CATALOGUE = LogCatalogue.read()
REQUEST = RequestRecord("activities", "readActivity", 200, 12.3456, "ab" * 16, "u-1")

Configure = Callable[..., Logs]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """`configure_logging`, closed after the test whatever happened in it."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Logs:
            usual: dict[str, Any] = {
                "service": "runnerly",
                "environment": "test",
                "level": "info",
                "gelf_url": None,
                "person_key": b"k",
                "catalogue": CATALOGUE,
                "stdout": None,
            }
            logs = configure_logging(**(usual | changes))
            stack.callback(logs.close, 0.1)
            return logs

        yield make


class Stuck:
    """A way out that takes one batch and then nothing more, until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.records: list[Record] = []

    def write(self, records: Sequence[Record]) -> None:
        self.entered.set()
        assert self.open.wait(20)
        self.records.extend(records)

    def close(self) -> None:
        self.open.set()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_request_and_an_event_become_a_line_of_json_each(configure: Configure, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        logs = configure(stdout=out.fileno())
        logs.request(REQUEST)
        context.enter(context.begin(f"00-{'cd' * 16}-{'1' * 16}-01", timeout_s=1, sub="u-2"))
        logs.get_logger("activities").info("activity.imported", activity_id="a-1", points=3600)
        assert logs.close() == 0
    request, event = lines(tmp_path / "out")
    assert request.pop("timestamp")[-6:] == "+00:00"
    assert request.pop("pid") == os.getpid()
    person = request.pop("person")
    assert request == {
        "level": "info",
        "event": "http.request",
        "service": "activities",
        "environment": "test",
        "trace": "ab" * 16,
        "operation": "readActivity",
        "status": 200,
        "ms": 12.35,
    }
    assert (event["event"], event["activity_id"], event["points"]) == ("activity.imported", "a-1", 3600)
    assert event["service"] == "activities"
    assert event["trace"] == "cd" * 16
    assert len(event["person"]) == 16
    assert event["person"] != person
    assert "u-2" not in json.dumps(event)


@pytest.mark.parametrize("stuck", ["stdout", "graylog"])
def test_a_way_out_that_never_reads_stalls_no_request(configure: Configure, stuck: str) -> None:
    """That the loop ends is the proof: both queues are full and nobody has read a byte. The other way still gets all."""
    read, write = os.pipe()
    records: list[Record] = []
    with DeafServer() as deaf:
        out = {"stdout": write} if stuck == "stdout" else {"gelf_url": deaf.url}
        logs = configure(**out, also={"memory": Memory(records)})
        log = logs.get_logger("activities")
        for _ in range(3):
            for _ in range(9_000):
                logs.request(REQUEST)
            log.info("activity.imported", points=3)
            assert logs._intake.flush(20) == 0
            assert next(lane for lane in logs._ways if lane.name == "memory").flush(20) == 0
        states = {state.name: state for state in logs.lanes()}
        assert states[stuck].dropped > 0
        assert states[stuck].waiting > 5_000  # the kernel takes a few
        assert states["memory"].dropped == 0
        assert sum(record.event == "http.request" for record in records) == 27_000
        assert logs.close(0.05) > 0
    os.close(read)
    os.close(write)


def test_what_was_dropped_is_counted_and_said(configure: Configure) -> None:
    stuck = Stuck()
    records: list[Record] = []
    logs = configure(also={"stuck": stuck, "memory": Memory(records)})
    logs._ways[0].limit = 10
    for _ in range(500):
        logs.request(REQUEST)
    assert logs._intake.flush(20) == 0
    assert {state.name: state.dropped for state in logs.lanes()}["stuck"] >= 400
    stuck.open.set()
    assert logs.close() == 0
    said = [record for record in records if record.event == "log.dropped"]
    lost = sum(record.fields["count"] for record in said)
    assert {record.fields["lane"] for record in said} == {"stuck"}
    assert 0 < len(said) <= 3  # not one for each
    # of the complaints themselves some were lost on the stuck way too
    assert lost == {state.name: state.dropped for state in logs.lanes()}["stuck"]
    assert len(stuck.records) + lost == 500 + len(said)


def test_nothing_is_left_unsent_by_a_flush(configure: Configure) -> None:
    with TcpReceiver() as graylog:
        logs = configure(gelf_url=graylog.url)
        for number in range(3000):
            logs.request(RequestRecord("activities", "readActivity", 200, float(number)))
        assert logs.flush(20) == 0
        messages = graylog.wait_for(3000)
        assert [message["_ms"] for message in messages] == list(range(3000))
        assert [wrong for message in messages for wrong in violations(message)] == []
        logs.close()


def test_records_wait_while_graylog_is_away_and_arrive_when_it_is_back(configure: Configure) -> None:
    away = TcpReceiver()
    away.close()
    records: list[Record] = []
    logs = configure(gelf_url=away.url, also={"memory": Memory(records)})
    for _ in range(100):
        logs.request(REQUEST)
    assert logs.flush(0.3) >= 100
    assert "log.stuck" in [record.event for record in records]
    with TcpReceiver(away.port) as back:
        assert logs.close(20) == 0
        assert sum(message["_event"] == "http.request" for message in back.wait_for(101)) == 100


def test_a_graylog_that_hangs_up_in_between_gets_the_rest_when_it_is_back(configure: Configure) -> None:
    first = TcpReceiver()
    logs = configure(gelf_url=first.url)
    logs.request(REQUEST)
    assert logs.flush(10) == 0
    first.wait_for(1)
    first.close()
    log = logs.get_logger("activities")
    log.info("activity.imported", points=1)
    assert logs.flush(0.3) > 0
    with TcpReceiver(first.port) as second:
        log.info("activity.imported", points=2)
        assert logs.flush(20) == 0
        points = [message.get("_points") for message in second.wait_for(3)]
        assert [point for point in points if point] == [1, 2]
        logs.close()


def test_graylog_over_udp_gets_the_same(configure: Configure) -> None:
    with UdpReceiver() as graylog:
        logs = configure(gelf_url=graylog.url)
        logs.get_logger("mailer").info("mail.sent", mail_id="m", template="welcome", attempts=1)
        assert logs.close() == 0
        assert graylog.wait_for(1)[0]["_template"] == "welcome"


def test_what_is_not_declared_raises_where_strict(configure: Configure) -> None:
    log = configure().get_logger("activities")
    with pytest.raises(UndeclaredEvent, match=r"activity\.exploded is not declared"):
        log.info("activity.exploded")
    with pytest.raises(UndeclaredEvent, match=r"activity\.imported has no field \['colour'\]"):
        log.info("activity.imported", colour="red")
    with pytest.raises(UndeclaredEvent, match="is declared as info, not error"):
        log.error("activity.imported")


def test_what_is_not_declared_is_written_marked_and_counted_in_production(configure: Configure) -> None:
    records: list[Record] = []
    logs = configure(environment="production", also={"memory": Memory(records)})
    log = logs.get_logger("activities")
    log.info("activity.exploded", level="x", **{"a b": "anna@example.org"})
    log.info("activity.imported", colour="red")
    log.info("activity.imported", points=1)
    assert logs.flush() == 0
    assert logs.undeclared == 2
    assert [record.fields.get("undeclared") for record in records] == [True, True, None]
    assert records[0].fields["a_b"] == "[personal]"
    assert msgspec.json.decode(records[0].line())["level"] == "info"


def test_levels_below_the_configured_one_cost_and_write_nothing(configure: Configure) -> None:
    records: list[Record] = []
    logs = configure(level="warning", also={"memory": Memory(records)})
    logs.get_logger("activities").info("activity.exploded, but nobody looks")
    logs.get_logger("bus").warning("event.failed", topic="x")
    assert logs.flush() == 0
    assert [record.event for record in records] == ["event.failed"]


def test_an_exception_is_logged_with_its_trace_scrubbed(configure: Configure) -> None:
    records: list[Record] = []
    logs = configure(also={"memory": Memory(records)})
    try:
        json.loads("{'password': 'hunter22'")
    except ValueError:
        logs.get_logger("activities").exception("http.error", method="GET")
    try:
        int("anna@example.org")
    except ValueError as failure:
        logs.get_logger("activities").error("http.error", method="GET", exc_info=failure)
    assert logs.flush() == 0
    assert [record.fields["error"] for record in records] == ["JSONDecodeError", "ValueError"]
    assert "Traceback" in records[0].exception
    assert "hunter22" not in records[0].exception
    assert "anna" not in records[1].exception


def test_libraries_speak_through_the_same_path_and_get_their_handlers_back(configure: Configure) -> None:
    before = list(logging.getLogger().handlers)
    records: list[Record] = []
    logs = configure(also={"memory": Memory(records)})
    logging.getLogger("tornado.application").error("Uncaught %s", "mongodb://u:hunter22@h/", exc_info=ValueError("x"))
    logging.getLogger("pymongo.command").info("find {name: 'Anna'}")
    logging.getLogger("tornado.access").error("500 GET /")
    logging.getLogger("careless").error("%d points", "many")
    logging.addLevelName(35, "LOUD")
    logging.getLogger("odd").log(35, "at a level of its own")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logging._showwarning  # type: ignore[attr-defined]  # pytest has put its own there
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
    assert logs.close() == 0
    assert [(record.event, record.level, record.fields["library"]) for record in records] == [
        ("library.log", "error", "tornado.application"),
        ("library.log", "error", "careless"),
        ("library.log", "loud", "odd"),
        ("library.log", "warning", "py.warnings"),
    ]
    assert records[0].fields["message"] == "Uncaught mongodb://[secret]@h/"
    assert records[0].fields["error"] == "ValueError"
    assert logging.getLogger().handlers == before


class Unprintable(str):
    """A value whose text can't be had."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ZeroDivisionError


def test_a_record_that_can_not_be_rendered_is_replaced_and_takes_no_other_with_it(configure: Configure) -> None:
    records: list[Record] = []
    logs = configure(also={"memory": Memory(records)})
    log = logs.get_logger("activities")
    log.info("activity.imported", points=1)
    log.info("activity.imported", format=Unprintable("x"))
    log.info("activity.imported", points=2)
    assert logs.flush() == 0
    assert [record.event for record in records] == ["activity.imported", "log.unwritable", "activity.imported"]
    assert records[1].fields["lost"] == "activity.imported"


def test_many_threads_can_log_at_once(configure: Configure) -> None:
    records: list[Record] = []
    logs = configure(also={"memory": Memory(records)})

    def work(thread: int) -> None:
        log = logs.get_logger("activities")
        for number in range(300):
            log.info("activity.imported", points=thread * 1000 + number)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logs.close(20) == 0
    assert sorted(record.fields["points"] for record in records) == sorted(
        t * 1000 + n for t in range(8) for n in range(300)
    )


PROGRAM = """
import os, sys
from services.chassis.catalogue import LogCatalogue
from services.chassis.logs import RequestRecord, configure_logging
read, write = os.pipe()
logs = configure_logging(service="x", environment="test", level="info", gelf_url=None, person_key=b"k",
                         catalogue=LogCatalogue.read(), stdout=write)
for _ in range(5000):
    logs.request(RequestRecord("x", "y", 200, 1.0))
print(logs.close(0.2) > 0, flush=True)
"""


def test_a_stopped_process_ends_though_nobody_reads_its_output() -> None:
    """And without a word from the interpreter about locks that a thread still holds."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_a_pipe_that_somebody_made_non_blocking_loses_no_line(configure: Configure) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    logs = configure(stdout=write)
    for _ in range(3000):
        logs.request(REQUEST)
    got = b""
    while got.count(b"\n") < 3000:
        got += os.read(read, 65536)
    assert logs.close() == 0
    assert all(json.loads(line)["status"] == 200 for line in got.splitlines())
    os.close(read)
    os.close(write)


def test_a_wrong_level_is_refused_with_a_sentence(configure: Configure) -> None:
    with pytest.raises(ValueError, match="The log level must be debug"):
        configure(level="loud")
