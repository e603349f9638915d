"""The door: what it lets through, what it refuses and how, and what it does to a request on its way."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.openresty.allowlist import routes_of
from services.chassis import problems
from services.chassis.catalogue import LogCatalogue
from services.chassis.origins import Origins
from tests.deploy.conftest import Answer, Door, open_door
from tests.support.processes import wait_until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


# Requests a second: only the burst counts then, however long a test takes.
RARELY = 0.01


def assert_problem(answer: Answer, kind: type[problems.Problem]) -> dict[str, object]:
    """The answer is a whole problem document of this kind, as the services would write it."""
    assert answer.status == problems.status_of(kind)
    assert answer.headers["Content-Type"] == problems.MEDIA_TYPE
    document: dict[str, object] = answer.json
    assert set(document) == {"type", "title", "status", "detail", "instance", "errors"}
    assert (document["type"], document["title"]) == (problems.type_of(kind), kind.title)
    assert document["status"] == answer.status
    assert document["errors"] == []
    assert ("Retry-After" in answer.headers) == (answer.status in {429, 503})
    return document


# -- which service


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/sessions", "accounts"),
        ("/api/v1/activities/manual", "activities"),
        ("/api/v1/activities?limit=5", "activities"),
    ],
)
def test_a_listed_call_reaches_its_service(door: Door, path: str, service: str) -> None:
    answer = door.ask("POST", path, b"{}")
    assert (answer.status, answer.json["service"], answer.json["uri"]) == (200, service, path)


def test_a_parameter_may_be_any_one_segment_even_encoded(door: Door) -> None:
    assert door.ask("GET", "/api/v1/activities/a%20b%C3%A9").json["uri"] == "/api/v1/activities/a%20b%C3%A9"
    assert door.ask("GET", "/calendar/geheim.ics").status == 200
    assert_problem(door.ask("GET", "/calendar/geheim.html"), problems.NotFound)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/unknown",
        "/api/v1/activities/",
        "/api/v1/activities/1/2",
        "/internal/v1/people/1",
        "/activities/internal/v1/people/1",
        "/api/v1/activities/..%2f..%2finternal",
        "/api/v1/../../internal/v1/tokens",
        "/api/v1/activities/%2e%2e",
        "/api/v1//activities",
        "//api/v1/activities",
        "/__door__/health/activities/__lbheartbeat__",
        "/to_services.conf",
    ],
)
def test_what_no_document_lists_is_not_there(door: Door, path: str) -> None:
    assert_problem(door.ask("GET", path), problems.NotFound)


def test_a_method_that_is_not_listed_is_refused_with_those_that_are(door: Door) -> None:
    answer = door.ask("PUT", "/api/v1/activities/1", b"{}")
    assert_problem(answer, problems.MethodNotAllowed)
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, PATCH"
    assert door.ask("HEAD", "/api/v1/activities/1").status == 200
    refused = door.ask("HEAD", "/api/v1/sessions")
    assert (refused.status, refused.body) == (405, b"")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "BREW"])
def test_odd_methods_get_a_problem(door: Door, method: str) -> None:
    assert door.ask(method, "/api/v1/activities").status in {400, 405}


def test_two_services_may_not_claim_one_path() -> None:
    with pytest.raises(ValueError, match="served by both"):
        routes_of({"a": {"paths": {"/x": {"get": {}}}}, "b": {"paths": {"/x": {"get": {}}}}})


# -- internal calls


def test_internal_calls_pass_on_the_internal_port_only(door: Door) -> None:
    path = "/activities/internal/v1/people/1"
    inside = door.ask("GET", path, port=door.settings.internal_port)
    assert (inside.status, inside.json["service"], inside.json["uri"]) == (200, "activities", path)
    for elsewhere in ("/api/v1/activities", "/unknown/internal/v1/people/1", "/internal/v1/people/1"):
        assert_problem(door.ask("GET", elsewhere, port=door.settings.internal_port), problems.NotFound)


def test_the_internal_port_is_on_loopback_only(door: Door) -> None:
    listening = Path("/proc/net/tcp").read_text()
    assert f"0100007F:{door.settings.internal_port:04X}" in listening
    assert f"00000000:{door.settings.internal_port:04X}" not in listening


# -- limits


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/sessions", 1024**2),
        ("/api/v1/activities/manual", 1024**2),
        ("/api/v1/activities", 64 * 1024**2 + 65536),
        ("/api/v1/imports", 2048 * 1024**2 + 65536),
    ],
)
def test_a_body_over_the_limit_of_its_call_is_refused_before_it_is_read(door: Door, path: str, limit: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {limit + 1}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", door.settings.port), timeout=60) as connection:
        connection.sendall(head)
        answer = connection.makefile("rb").read1()
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert json.loads(answer.split(b"\r\n\r\n")[1])["type"] == problems.type_of(problems.TooLarge)


def test_a_body_within_the_limit_passes(door: Door) -> None:
    assert door.ask("POST", "/api/v1/activities", b"x" * (3 * 1024**2)).json["body_bytes"] == 3 * 1024**2


def test_a_chunked_body_is_limited_too(door: Door) -> None:
    def chunks():
        for _ in range(20):
            yield b"x" * 65536

    answer = door.ask("POST", "/api/v1/sessions", chunks())  # type: ignore[arg-type]
    assert_problem(answer, problems.TooLarge)


def test_a_client_over_its_rate_is_told_when_to_come_back_and_others_are_not_hindered(
    nginx: str, short_folder: Path
) -> None:
    with open_door(nginx, short_folder / "rate", door_rate=0.5, door_burst=5, trusted_proxies="127.0.0.1") as limited:
        first, second = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
        began, answers = time.monotonic(), list[Answer]()
        while not answers or answers[-1].status == 200:
            answers.append(limited.ask("GET", "/api/v1/activities", headers=first))
        earned = (time.monotonic() - began) * 0.5
        *taken, refused = answers
        assert 5 <= len(taken) <= 6 + earned
        assert_problem(refused, problems.TooMany)
        assert limited.ask("GET", "/api/v1/activities", headers=second).status == 200
        time.sleep(int(refused.headers["Retry-After"]))
        assert limited.ask("GET", "/api/v1/activities", headers=first).status == 200


def test_where_passwords_are_tried_the_rate_is_tighter(nginx: str, short_folder: Path) -> None:
    with open_door(nginx, short_folder / "guess", door_credentials_rate=RARELY, door_credentials_burst=3) as limited:
        assert [limited.ask("POST", "/api/v1/sessions", b"{}").status for _ in range(4)] == [200, 200, 200, 429]
        assert limited.ask("GET", "/api/v1/activities").status == 200


def test_each_of_several_nodes_takes_its_share(nginx: str, short_folder: Path) -> None:
    with open_door(nginx, short_folder / "nodes", door_rate=RARELY, door_burst=12, door_nodes=4) as limited:
        assert [limited.ask("GET", "/api/v1/activities").status for _ in range(4)] == [200, 200, 200, 429]


def test_a_client_may_not_hold_too_many_requests_open(nginx: str, short_folder: Path) -> None:
    with open_door(nginx, short_folder / "many", door_connections=2) as limited:
        held = [socket.create_connection(("127.0.0.1", limited.settings.port)) for _ in range(2)]
        begun = [short_folder / f"begun{number}" for number in range(2)]
        try:
            for connection, there in zip(held, begun, strict=True):
                path = f"/api/v1/activities?sleep_s=60&begun={quote(str(there))}"
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: all(there.exists() for there in begun), within_s=60, what="both requests' arrival")
            assert_problem(limited.ask("GET", "/api/v1/activities"), problems.TooMany)
        finally:
            for connection in held:
                connection.close()


def test_apps_and_consents_are_not_counted_where_passwords_are_tried(nginx: str, short_folder: Path) -> None:
    """An app's server renews the tokens of many people from one address; what it proves itself with can't be guessed."""
    with open_door(nginx, short_folder / "apps", door_rate=RARELY, door_burst=9, door_credentials_rate=1) as limited:
        calls = ["/oauth/token", "/oauth/authorize"] * 4
        assert [limited.ask("POST", path, b"a=b").status for path in calls] == [200] * 8
        assert [limited.ask("POST", "/oauth/token", b"a=b").status for _ in range(2)] == [200, 429]


# -- OAuth, and pages of other sites


def test_what_apps_put_into_addresses_comes_through(door: Door) -> None:
    """A long `state` goes to the service, and back in an address that is no usual header."""
    asked = door.ask("GET", "/oauth/authorize?location_chars=30000&state=" + "x" * 12_000)
    assert (asked.status, len(asked.headers["Location"])) == (200, 30_001)
    assert door.ask("POST", "/oauth/token", b"x" * 65_000).status == 200
    assert_problem(door.ask("POST", "/oauth/token", b"x" * 66_000), problems.TooLarge)
    assert_problem(door.ask("GET", "/oauth/else"), problems.NotFound)
    assert_problem(door.ask("PUT", "/oauth/token", b""), problems.MethodNotAllowed)


LISTED = "https://app.example"
ASKING = {"Origin": LISTED, "Access-Control-Request-Method": "POST"}


def test_a_browser_that_asks_for_a_page_of_another_site_is_refused_where_none_is_listed(door: Door) -> None:
    for headers in (ASKING, {}):
        answer = door.ask("OPTIONS", "/api/v1/activities", headers=headers)
        assert_problem(answer, problems.MethodNotAllowed)
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_listed_site_asks_the_service_and_reads_what_the_door_refuses(nginx: str, short_folder: Path) -> None:
    limits = {"door_credentials_rate": RARELY, "door_credentials_burst": 1}
    with open_door(nginx, short_folder / "cors", cors_origins=Origins([LISTED]), **limits) as it:
        for path in ("/api/v1/activities", "/oauth/token"):
            asked = it.ask("OPTIONS", path, headers=ASKING)
            assert (asked.status, asked.json["method"]) == (200, "OPTIONS")
        for headers in ({**ASKING, "Origin": "https://evil.example"}, {"Origin": LISTED}):
            assert_problem(it.ask("OPTIONS", "/api/v1/activities", headers=headers), problems.MethodNotAllowed)
        page = it.ask("OPTIONS", "/oauth/authorize", headers=ASKING)
        assert_problem(page, problems.MethodNotAllowed)
        assert [it.ask("POST", "/api/v1/sessions", b"{}").status for _ in range(2)] == [200, 429]
        for origin, allowed in ((LISTED, LISTED), ("https://evil.example", None)):
            refused = it.ask("POST", "/api/v1/sessions", b"{}", {"Origin": origin})
            assert refused.status == 429
            assert refused.headers["Vary"] == "Origin"
            assert refused.headers["Access-Control-Allow-Origin"] == allowed
            assert ("Retry-After" in (refused.headers["Access-Control-Expose-Headers"] or "")) == bool(allowed)


# -- what it does to a request and its answer


def test_who_asks_is_what_the_door_saw(door: Door) -> None:
    claimed = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Real-Ip": "1.2.3.4",
        "X-Scheme": "https",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=1.2.3.4",
        "X-Forwarded-Host": "evil.example",
        "X-Request-Timeout-Ms": "1",
    }
    seen = door.ask("GET", "/api/v1/activities", headers=claimed).json["headers"]
    assert (seen["X-Real-Ip"], seen["X-Forwarded-For"], seen["X-Forwarded-Proto"]) == ("127.0.0.1", "127.0.0.1", "http")
    assert not {"X-Scheme", "Forwarded", "X-Forwarded-Host", "X-Request-Timeout-Ms"} & set(seen)


def test_a_trace_is_carried_on(door: Door) -> None:
    answer = door.ask("GET", "/api/v1/activities", headers={"traceparent": TRACE})
    assert answer.json["headers"]["Traceparent"] == TRACE
    assert answer.headers["X-Request-Id"] == TRACE[3:35]


@pytest.mark.parametrize(
    "wrong",
    [None, "", "nonsense", TRACE.upper(), "00-" + "0" * 32 + "-00f067aa0ba902b7-01", TRACE + "-more", "01" + TRACE[2:]],
)
def test_an_absent_or_malformed_trace_is_replaced(door: Door, wrong: str | None) -> None:
    headers = {} if wrong is None else {"traceparent": wrong}
    made = door.ask("GET", "/api/v1/activities", headers=headers).json["headers"]["Traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)
    assert made != wrong


def test_answers_are_compressed_and_their_etags_weakened(door: Door) -> None:
    answer = door.ask("GET", "/api/v1/activities?fill=5000", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["ETag"] == 'W/"1-json"'
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" not in json.loads(gzip.decompress(answer.body))["headers"]


def test_security_headers_are_on_every_answer(door: Door) -> None:
    for path in ("/api/v1/activities", "/nowhere", "/"):
        headers = door.ask("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers
        assert "Tornado" not in headers["Server"]
    assert "default-src 'self'" in door.ask("GET", "/").headers["Content-Security-Policy"]


def test_hsts_is_told_where_the_public_address_is_https(nginx: str, short_folder: Path) -> None:
    with open_door(nginx, short_folder / "https", public_url="https://runnerly.example") as secure:
        answer = secure.ask("GET", "/api/v1/activities")
        assert "max-age=" in answer.headers["Strict-Transport-Security"]
        assert answer.json["headers"]["X-Forwarded-Proto"] == "https"


def test_events_come_as_they_are_sent(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.settings.port), timeout=60) as connection:
        connection.sendall(b"GET /api/v1/activities/1/events HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        received = b""
        for number in range(1, 4):  # the next one is sent when this one has arrived
            while received.count(b"data:") < number:
                received += connection.recv(65536)
            assert received.count(b"data:") == number
            assert door.ask("GET", "/api/v1/activities?go_on=1").status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 random bytes \r\n\r\n", 400),
        (b"GET /api/v1/activities HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/v1/activities HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 70000 + b"\r\n\r\n", 400),
        (b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n", 405),
        (b"GET /api/v1/activities/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /api/v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_gets_a_problem_too(door: Door, raw: bytes, status: int) -> None:
    head, _, body = door.send(raw).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["status"] == status


def test_the_access_log_tells_routes_and_networks_not_paths_and_people(door: Door) -> None:
    door.ask("GET", "/calendar/very-secret.ics?token=hidden", headers={"traceparent": TRACE})

    def line():
        return next((line for line in reversed(door.logged()) if line["operation"] == "readCalendar"), None)

    wait_until(lambda: line() is not None, within_s=60, what="the line in the log")
    logged = line()
    assert logged is not None
    assert (logged["route"], logged["to"], logged["status"]) == ("/calendar/{secret}.ics", "activities", 200)
    assert (logged["trace"], logged["network"]) == (TRACE[3:35], "127.0.0.0")
    assert not {"very-secret", "hidden"} & set(re.findall(r"[\w-]+", door.log.read_text("latin-1")))


def test_its_log_is_declared(door: Door) -> None:
    catalogue = LogCatalogue.read()
    event = catalogue.events["door.request"]
    for line in door.logged():
        assert line["level"] == event.level
        assert line.keys() - {"event", "level", "timestamp"} <= catalogue.common.keys() | event.fields.keys()


# -- when a service is not well


def test_health_passes_through_to_a_worker_of_each_service(door: Door) -> None:
    assert (door.ask("GET", "/__lbheartbeat__").status, door.ask("GET", "/__heartbeat__").status) == (200, 200)
    assert door.ask("GET", "/__heartbeat__").json == {
        "status": "ok",
        "checks": {"accounts.database": "ok", "activities.database": "ok"},
    }


def test_the_documents_of_all_services_are_listed(door: Door) -> None:
    assert door.ask("GET", "/api/openapi").json == {"items": ["activities"]}


def test_a_service_that_is_gone_is_a_503_with_retry_after_and_shows_in_the_health(
    nginx: str, short_folder: Path
) -> None:
    with open_door(nginx, short_folder / "gone") as half:
        half.workers["accounts"].kill()
        assert_problem(half.ask("POST", "/api/v1/sessions", b"{}"), problems.Unavailable)
        health = half.ask("GET", "/__lbheartbeat__")
        assert (health.status, health.json) == (503, {"status": "error"})
        backends = half.ask("GET", "/__heartbeat__").json
        assert backends["checks"] == {"accounts.process": "unreachable", "activities.database": "ok"}
        assert half.ask("GET", "/api/v1/activities").status == 200


def test_a_worker_killed_in_the_middle_is_tried_again_only_where_that_is_safe(nginx: str, short_folder: Path) -> None:
    """A GET and a POST with a key are sent again (and find nobody left here); a bare POST is sent once."""

    def of_death(line: dict[str, str]) -> bool:
        return line["route"].endswith("/death")

    path = "/api/v1/activities/1/death"
    for number, (method, headers, tries) in enumerate(
        [("GET", {}, 3), ("POST", {"Idempotency-Key": "k"}, 3), ("POST", {}, 1)]
    ):
        with open_door(nginx, short_folder / f"death{number}") as dying:
            assert_problem(dying.ask(method, path, headers=headers), problems.Unavailable)
            wait_until(lambda: any(map(of_death, dying.logged())), within_s=60, what="the line")
            tried = next(filter(of_death, dying.logged()))
            assert len(tried["tries"].split(",")) == tries, (method, headers)
