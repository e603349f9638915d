"""Names that were made to hurt: markup, control characters, headers, what turns a line around. Kept plain, sent back safely."""

from __future__ import annotations

import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.recordings import a_run, gpx
from tests.support.runners import Runner, Told

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = gpx(a_run(300, every=5))
FILES = {
    "<script>alert(1)</script>.gpx": "script>.gpx",
    "../../etc/passwd": "passwd",
    "C:\\Windows\\system32\\run.gpx": "run.gpx",
    "zero\0byte.gpx": "zerobyte.gpx",
    "two\r\nX-Evil: 1.gpx": "twoX-Evil: 1.gpx",
    "\u202exgp.exe": "xgp.exe",
    "\x1b[31mred\x07.gpx": "[31mred.gpx",
    'a"; filename="b.gpx': 'a"; filename="b.gpx',
    "Läufe 🏃.gpx": "Läufe 🏃.gpx",
    "x" * 5000 + ".gpx": "x" * 196 + ".gpx",
    "\ud800.gpx": None,
    "..": None,
    "": None,
}
TEXTS = {
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "zero\0byte": "zerobyte",
    "\x1b]0;title\x07": "]0;title",
    "safe\u202eexe.\u2066x": "safeexe.x",
    "👩\u200d🚀": "👩\u200d🚀",
    " two \r\n lines\x85\u2028 ": "two lines",
}


def is_plain(text: str) -> bool:
    return not any(unicodedata.category(c) == "Cc" for c in text) and not set(text) & set("\u202e\u2066")


async def sent_back(runner: Runner, told: Told) -> Told:
    """The file as it is downloaded, with the name it has now."""
    answer = await runner.get(f"/activities/{told.json['id']}/original")
    assert answer.body == RUN
    assert "X-Evil" not in answer.headers
    disposition = answer.headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.startswith("attachment; ")
    assert disposition.count('"') == 2
    return answer


@pytest.mark.parametrize("name", FILES, ids=range(len(FILES)))
async def test_a_files_name_is_kept_without_what_hurts(runner: Runner, name: str) -> None:
    query = quote(name.encode("utf-8", "surrogatepass"))
    headers = {"Content-Type": "application/octet-stream"}
    told = await runner.ask("POST", f"/activities?filename={query}", data=RUN, headers=headers)
    assert told.status == 201, told.body
    kept = told.json["source"]["name"]
    assert kept is None or is_plain(kept)
    if FILES[name] is not None or name in {"", ".."}:
        assert kept == FILES[name]
    await sent_back(runner, told)


@pytest.mark.parametrize(
    "header",
    [
        b'form-data; name="file"; filename="<b>\x1b[1m.gpx"',
        b'form-data; name="file"; filename="a\xff\xfe.gpx"',
        b'form-data; name="file"; filename="a\0b.gpx"',
        b'form-data; name="file"; filename="%s.gpx"' % (b"y" * 3000),
        b"form-data; name=\"file\"; filename*=UTF-8''%E2%80%AExgp.exe",
        b"form-data; name=\"file\"; filename*=klingon''%FF",
        b'form-data; name="file"; filename="unclosed.gpx',
        b'form-data; name="file"; filename=""',
    ],
    ids=range(8),
)
async def test_a_form_with_an_odd_name_is_taken_with_a_plain_one_or_refused(runner: Runner, header: bytes) -> None:
    body = b"--b\r\nContent-Disposition: %s\r\n\r\n%s\r\n--b--\r\n" % (header, RUN)
    told = await runner.ask(
        "POST", "/activities", data=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert told.status in {201, 400, 422}, told.body
    if told.status == 201:
        assert is_plain(told.json["source"]["name"] or "")
        await sent_back(runner, told)
    else:
        assert (await runner.get("/activities")).items == []


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_what_runners_call_things_is_kept_as_a_plain_line(runner: Runner, text: str) -> None:
    run = await runner.uploaded(RUN)
    path = f"/activities/{run['id']}"
    zone = {"lat": 48.85, "lon": 2.35, "radius_m": 400}
    answers: list[Any] = [
        (await runner.ask("PATCH", path, json={"title": text})).json["title"],
        (await runner.ask("POST", "/gear", json={"kind": "shoes", "name": text})).json["name"],
        (await runner.ask("POST", "/privacy-zones", json={"name": text, **zone})).json["name"],
    ]
    assert answers == [TEXTS[text]] * 3
    description = (await runner.ask("PATCH", path, json={"description": f"{text}\nmore"})).json["description"]
    assert is_plain(description.replace("\n", "").replace("\t", ""))
    assert description.endswith("\nmore")
    exported = await runner.get(f"{path}/export.gpx")
    assert exported.status == 200
    assert (await runner.ask("GET", "/activities", headers={"Accept": "text/csv"})).status == 200


@pytest.mark.parametrize("text", ["\0", " \u202e ", "\x07\x1b"])
async def test_a_name_of_nothing_that_can_be_seen_is_refused(runner: Runner, text: str) -> None:
    run = await runner.uploaded(RUN)
    told = await runner.ask("PATCH", f"/activities/{run['id']}", json={"title": text})
    assert (told.status, told.json["errors"][0]["field"]) == (422, "title")
    told = await runner.ask("POST", "/gear", json={"kind": "shoes", "name": text})
    assert (told.status, told.json["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize(
    "zone", ["Europe", "../../etc/passwd", "/etc/passwd", "x" * 64, "a\0b", "", "posix/Europe/Paris", "localtime"]
)
async def test_a_time_zone_that_is_none_is_refused(runner: Runner, zone: str) -> None:
    body = {"sport": "running", "started_at": "2026-03-01T07:00:00Z", "timezone": zone, "distance_m": 1, "elapsed_s": 1}
    told = await runner.ask("POST", "/activities/manual", json=body)
    assert (told.status, told.json["errors"][0]["field"]) == (422, "timezone")
