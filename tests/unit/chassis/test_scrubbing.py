"""No secret and no personal data leaves the process in a log record."""

from __future__ import annotations

import base64
import json
import string
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.log_records import Cleaner, RawRecord, exception_text
from services.chassis.scrubbing import MAX_TEXT, PERSONAL, SECRET, cut, is_personal, is_secret, scrub, scrub_text
from tests.support.recorded import LogCatalogue

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl_-"

# A secret that is long enough not to be part of anything else by chance
secrets = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map("zQ9".__add__)
# What may stand around it: any text that does not run into it
around = st.text(max_size=60).map(lambda text: text + " ")
names = ["password", "passwd", "client_secret", "access_token", "refreshToken", "X-Api-Key", "Authorization", "cookie"]
spellings = ["Set-Cookie", "private_key", "SESSION_ID", "csrf_token", "MONGODB_PASSWORD", "kek", "otp"]
secret_names = st.sampled_from([*names, *spellings])


def shapes(secret: str) -> list[str]:
    """The secret as it is met in texts: in headers, in URLs, in the repr of a dict, in JSON, in a form."""
    segment = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    return [
        f"Authorization: Bearer {secret}",
        f"authorization='Basic {secret}'",
        f"Cookie: a=b; session={secret}; c=d",
        f"('Set-Cookie', '__Host-refresh={secret}; Secure')",
        f"bearer {secret}",
        f"mongodb://runner:{secret}@database:27017/?replicaSet=r",
        f"amqps://{secret}@broker",
        f"redis://:{secret}@[::1]:6379/0",
        f"password={secret}",
        f"passwd: {secret}",
        f"{{'client_secret': '{secret}', 'a': 1}}",
        f"{{'secret': b'it\\'s {secret}'}}",
        json.dumps({"refresh_token": f'a "quoted" {secret}'}),
        json.dumps(json.dumps({"access_token": f"x {secret}"})),
        f"https://example.org/reset?token={secret}&lang=en",
        f"Credentials(token=[1, '{secret}'])",
        f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{secret}",
        f"eyJhbGciOiJIUzI1NiJ9.{segment}.{secret}",
    ]


@given(secret=secrets, before=around, after=st.text(max_size=60), data=st.data())
def test_a_secret_in_a_text_is_taken_out_whatever_stands_around_it(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    shape = data.draw(st.sampled_from(shapes(secret)))
    assert secret not in scrub_text(f"{before}{shape} {after}")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(secret=secrets, name=secret_names, beside=values, data=st.data())
def test_what_is_named_like_a_secret_is_taken_out_however_deep_it_stands(
    secret: str, name: str, beside: Any, data: st.DataObject
) -> None:
    hidden = data.draw(st.sampled_from([secret, [secret], {"inner": secret}, {"list": [{"x": secret}]}, {secret: 1}]))
    value: Any = {name: hidden, "beside": beside}
    for wrap in data.draw(st.lists(st.sampled_from(["dict", "list", "tuple"]), max_size=4)):
        value = {"w": value} if wrap == "dict" else [value] if wrap == "list" else (value, 1)
    assert secret not in msgspec.json.encode(scrub("data", value)).decode("utf-8", "replace")


@given(
    local=st.text(string.ascii_letters + string.digits + ".+_-", min_size=1, max_size=30),
    domain=st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{2,8}){0,2}", fullmatch=True),
    at=st.sampled_from(["@", "%40"]),
    around=st.sampled_from(["", " ", "<", '"', "'", "(", "mailto:", "to=", "[", "é", "\n"]),
)
def test_an_email_address_is_taken_out_of_any_text(local: str, domain: str, at: str, around: str) -> None:
    address = f"{local}{at}{domain}"
    assert address not in scrub_text(f"x{around}{address}{around}y")


@given(address=st.ip_addresses(), around=st.sampled_from([" ", "'", '"', "(", "\n", ",", "="]))
def test_an_ip_address_is_taken_out_of_any_text_but_our_own_machine(address: Any, around: str) -> None:
    scrubbed = scrub_text(f"peer{around}{address}{around}closed")
    kept = address.is_loopback or address.is_unspecified
    assert (str(address) in scrubbed) == kept


@given(text=st.text(string.printable, max_size=300))
def test_what_was_scrubbed_stays_so(text: str) -> None:
    once = scrub_text(text)
    assert SECRET in once or PERSONAL in once or scrub_text(once) == once


@given(value=values)
def test_whatever_is_logged_becomes_plain_json(value: Any) -> None:
    cleaner = Cleaner(LogCatalogue.read(), b"k", {})
    record = cleaner.clean(RawRecord(0.0, "info", "service.ready", {"listens": value}))
    assert msgspec.json.decode(record.line())["event"] == "service.ready"
    assert b"\n" not in record.line()


@pytest.mark.parametrize(
    "text",
    [
        "08:05:57 the relay moved 12 events in 3.25 s",
        "runnerly 1.12.3 on http://127.0.0.1:8080, [::1]:8090 and 0.0.0.0",
        "http://127.0.0.1:8090/tokendealer/internal/v1/tokens answered 503",
        "services/activities/store.py:12 std::move key_id 4a",
        "mongodb://database:27017/?replicaSet=r&w=majority",
        "file_name: 'run.gpx'",
    ],
)
def test_what_an_operator_needs_is_left_alone(text: str) -> None:
    assert scrub_text(text) == text


def test_a_word_is_looked_at_once_and_left_alone_unless_it_is_a_token() -> None:
    assert scrub_text("readActivity") == "readActivity"
    assert scrub_text("eyJhbGciOiJFUzI1NiJ9") == SECRET
    assert scrub_text(JWT) == SECRET


@pytest.mark.parametrize(
    "name", ["token_ttl_s", "cookie_count", "kek_file", "TOKENDEALER_URL", "key", "tokendealer", "keys"]
)
def test_a_name_that_tells_about_a_secret_is_no_secret(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", ["e_mail", "Email", "clientIp", "X-Forwarded-For", "display_name", "userAgent", "lat"])
def test_names_of_personal_fields_are_known_in_every_spelling(name: str) -> None:
    assert is_personal(name)
    assert scrub("data", {name: "something"}) == {scrub_text(name): PERSONAL}


def test_a_field_declared_as_personal_keeps_the_address_but_not_a_secret() -> None:
    assert scrub("client_ip", "203.0.113.9", personal_allowed=True) == "203.0.113.9"
    assert scrub("client_ip", "Bearer abcdef", personal_allowed=True) == f"Bearer {SECRET}"


class Kind(Enum):
    FIT = "fit"


@dataclass
class Person:
    name: str


def test_values_become_plain_and_unknown_objects_only_their_type() -> None:
    """A `repr` shows every field of an object, a person's name among them."""
    assert scrub("x", Kind.FIT) == "fit"
    assert scrub("x", datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
    assert scrub("x", date(2026, 1, 2)) == "2026-01-02"
    assert scrub("x", timedelta(seconds=90)) == 90
    assert scrub("x", UUID(int=1)) == "00000000-0000-0000-0000-000000000001"
    assert scrub("x", Path("var/run")) == "var/run"
    assert scrub("x", ValueError("anna@example.org")) == f"ValueError: {PERSONAL}"
    assert scrub("x", Person("Anna")) == "[Person]"
    assert scrub("x", b"secret") == "[bytes]"


def test_depth_length_and_size_are_bounded() -> None:
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    assert "too deep" in str(scrub("x", deep))
    assert len(scrub("x", list(range(1000)))) == 100
    assert len(scrub("x", "a b" * MAX_TEXT)) < MAX_TEXT + 20


@pytest.mark.parametrize(
    "hostile", ["a@" * 4000, "password" * 1000, "=" * 8000, ":" * 8000, "eyJ" * 2600, '"\\' * 4000, "x" * 8000]
)
def test_hostile_texts_cost_no_more_than_plain_ones(hostile: str) -> None:
    """Were a pattern to backtrack, this would take minutes."""
    scrub_text(hostile * (MAX_TEXT // len(hostile)))


def fail(message: str, cause: Exception) -> None:
    raise RuntimeError(message) from cause


def test_exceptions_are_scrubbed_with_their_causes_and_keep_their_end() -> None:
    cause = ValueError("dup key: { email: 'anna@example.org', name: 'Anna Runner' }")
    with pytest.raises(RuntimeError) as failed:
        fail("mongodb://runnerly:hunter22@database/ said" + " yes" * 100_000 + " at last", cause)
    text = exception_text(failed.value)
    assert "hunter22" not in text
    assert "anna@example.org" not in text
    assert "Anna Runner" not in text
    assert "ValueError" in text
    assert text.endswith("at last")
    assert len(text) < 20_000


@given(secret=secrets, at=st.integers(0, 60))
def test_a_cut_leaves_no_half_of_a_secret(secret: str, at: int) -> None:
    """The end of a URL tells that there are credentials in it: cut off, they would stand there as any word."""
    text = "see mongodb://runnerly:" + secret + "@database:27017/ " + "and more " * 10
    assert secret[:8] not in scrub_text(text, at_most=at)
    assert secret[-8:] not in scrub_text(cut(text, 2 * at, keep_end=True))


def test_a_person_is_a_keyed_hash() -> None:
    catalogue = LogCatalogue.read()
    cleaner = Cleaner(catalogue, b"k", {})
    record = cleaner.clean(RawRecord(0.0, "info", "account.registered", {"person": "u-1"}))
    assert record.fields["person"] == cleaner.person("u-1")
    assert "u-1" not in record.line().decode()
    assert Cleaner(catalogue, b"other", {}).person("u-1") != cleaner.person("u-1")
    # who asked stands in the context, and is hashed too
    assert cleaner.clean(RawRecord(0.0, "info", "service.ready", {}, "t", "u-1")).fields["person"] == cleaner.person(
        "u-1"
    )


def test_half_a_surrogate_pair_does_not_cost_the_record() -> None:
    cleaner = Cleaner(LogCatalogue.read(), b"k", {})
    line = cleaner.clean(RawRecord(0.0, "info", "service.ready", {"listens": {"\udc80": ["a\udc80 b"]}})).line()
    assert msgspec.json.decode(line)["listens"] == {"?": ["a? b"]}
