"""Too much, and half of it: refused in time with words, whoever stands in front."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import time
from collections.abc import Iterator

import pytest

from tests.support.api import Answer, Api, Person, check_problem
from tests.support.recordings import Session, a_run, fit, gpx, tcx
from tests.support.running import Running

MIB = 1024**2
SLOWEST_S = 20.0  # no file may be read for longer than 15; with all the rest of a test run going on beside it


def sent_in_pieces(port: int, token: str, size: int, *, chunked: bool) -> Answer:
    """An upload as it comes over a slow line: headers first, then piece by piece, whatever is answered meanwhile."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    pieces: Iterator[bytes] = (bytes(MIB) for _ in range(size // MIB))
    if not chunked:
        headers["Content-Length"] = str(size)
    connection.request("POST", "/api/v1/activities?filename=large.fit", pieces, headers, encode_chunked=chunked)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    check_problem(answer)
    return answer


@pytest.mark.parametrize("chunked", [False, True], ids=["length told", "chunked"])
def test_a_file_of_65_mib_is_too_large(person: Person, chunked: bool) -> None:
    answer = sent_in_pieces(person.api.port, person.api.token or "", 65 * MIB, chunked=chunked)
    assert (answer.status, answer.json["type"]) == (413, "/problems/too-large")
    assert person.api.get("activities").json["items"] == []


def test_a_form_of_65_mib_is_too_large(person: Person) -> None:
    answer = person.api.upload("large.fit", bytes(65 * MIB))
    assert (answer.status, answer.json["type"]) == (413, "/problems/too-large")


def test_a_file_of_63_mib_is_read_at_least(person: Person) -> None:
    """The limit is where it is said to be: this one is refused for what is in it."""
    answer = person.api.upload("large.fit", bytes(63 * MIB))
    assert (answer.status, answer.json["type"]) == (422, "/problems/not-an-activity")


@pytest.mark.parametrize(
    "path", ["accounts", "accounts/activation", "sessions", "sessions/refresh", "activities/manual"]
)
def test_ten_megabytes_of_json_are_too_large(person: Person, path: str) -> None:
    body = json.dumps({"email": "x" * 10_000_000}).encode()
    answer = person.api.post(path, body, content_type="application/json")
    assert (answer.status, answer.json["type"]) == (413, "/problems/too-large")


def test_json_that_is_bent_is_refused(anybody: Api) -> None:
    for body in (
        b'{"email":' * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 400_000,
        b'"' + b"\\u0000" * 100_000 + b'"',
        b"1" * 500_000,
        b"1e999999999",
        b"-",
        b"NaN",
        b'{"email": "a@example.com", "email": "b@example.com"',
        b'{"email": "\xed\xa0\x80@example.com", "password": "long enough 4711", "name": "y"}',
        b'{"email": "\\ud800@example.com", "password": "long enough 4711", "name": "y"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
    ):
        answer = anybody.post("accounts", body, content_type="application/json")
        assert answer.status in {400, 422}, body[:50]


# -- files


def whole_files() -> dict[str, bytes]:
    """A run in each format, packed and not."""
    run = a_run(600, every=5, climb=0.01)
    files = {"run.gpx": gpx(run), "run.tcx": tcx([run]), "run.fit": fit(Session(run))}
    return {**files, **{f"{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}}


def spoiled(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """Ends missing, bits turned, pieces repeated or left out."""
    for _ in range(2):
        yield content[: chance.randrange(1, len(content))]
        yield content[chance.randrange(1, len(content)) :]
        turned = bytearray(content)
        for _ in range(8):
            turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
        yield bytes(turned)
        at, length = chance.randrange(len(content)), chance.randrange(1, 200)
        yield content[:at] + content[at + length :]
        yield content[:at] + content[at : at + length] * 3 + content[at + length :]


@pytest.mark.parametrize("name", list(whole_files()))
def test_a_spoiled_file_is_imported_as_far_as_it_goes_or_refused_with_a_reason(person: Person, name: str) -> None:
    for content in spoiled(whole_files()[name], random.Random(name)):
        began = time.monotonic()
        answer = person.api.upload(name, content)
        assert time.monotonic() - began < SLOWEST_S
        assert answer.status in {201, 409, 422}, answer.body
        if answer.status == 422:
            assert answer.json["detail"]
        if answer.status == 201:
            assert person.api.ask("DELETE", f"activities/{answer.json['id']}").status == 204
    assert person.api.upload(name, whole_files()[name]).status == 201


def test_what_swells_when_it_is_unpacked_is_refused(person: Person) -> None:
    """A gzip of a gigabyte of nothing is a megabyte; and one within another."""
    empty = gzip.compress(bytes(64 * MIB), 9) * 16
    for bomb in (empty, gzip.compress(empty), gzip.compress(gpx(a_run(600, every=5)) + b" " * (100 * MIB))):
        began = time.monotonic()
        answer = person.api.upload("bomb.gpx.gz", bomb)
        assert (answer.status, answer.json["type"]) == (422, "/problems/not-an-activity")
        assert time.monotonic() - began < SLOWEST_S


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/passwd">]><gpx><trk><name>&x;</name></trk></gpx>',
        b'<!DOCTYPE gpx SYSTEM "http://127.0.0.1:9/gpx.dtd"><gpx/>',
        b'<gpx xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></gpx>',
        b"<gpx>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</gpx>",
        b"<gpx " + b" ".join(b'a%d="1"' % i for i in range(50_000)) + b"/>",
        b"<gpx><trk><name>" + b"x" * 5_000_000 + b"</name></trk></gpx>",
    ],
    ids=["entity of a file", "document type elsewhere", "inclusion", "deep", "many attributes", "long text"],
)
def test_xml_that_reaches_out_or_is_bent_is_refused(person: Person, it: Running, document: bytes) -> None:
    answer = person.api.upload("run.gpx", b'<?xml version="1.0"?>' + document)
    assert answer.status == 422
    assert b"root:" not in answer.body
    assert Api(it.port).get("/__heartbeat__").status == 200
