"""The rules of accounts, passwords, links and counters."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.accounts.domain.accounts import Account, Profile, Role, check_profile, is_name, scopes_of, timezones
from services.accounts.domain.attempts import network_of
from services.accounts.domain.links import hash_secret, new_secret
from services.chassis.problems import Invalid
from services.chassis.scopes import SCOPES, SERVICE

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
KIM = Profile("Kim", "de", "Europe/Berlin")
ACCOUNT = Account("kim", "kim@runnerly.test", "hash", KIM, NOW)


def test_a_secret_has_256_bits_goes_into_a_url_and_is_not_what_we_keep() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    for secret in secrets:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
        assert re.fullmatch(r"[0-9a-f]{64}", hash_secret(secret))
        assert secret not in hash_secret(secret)


@given(st.text(max_size=100))
def test_any_text_can_be_asked_for_as_a_secret(text: str) -> None:
    assert len(hash_secret(text)) == 64


@pytest.mark.parametrize("name", ["Kim", "Zoë Ørsted", "李雷", "محمد", "नेहा", "O'Neil-Smith", "👩‍🚀"])
def test_names_of_all_people_are_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "Kim\nBcc", "Kim\u2028", "a\x00b"])
def test_what_can_t_be_seen_or_breaks_a_line_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_a_name_is_tidied() -> None:
    assert check_profile(replace(KIM, name="  Kim \t Lou "), TODAY).name == "Kim Lou"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "\u200b"}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "europe/berlin"}, "timezone"),
        ({"born_on": date(2026, 5, 2)}, "born_on"),
        ({"born_on": date(1890, 1, 1)}, "born_on"),
        ({"max_hr_bpm": 100, "rest_hr_bpm": 100}, "rest_hr_bpm"),
    ],
)
def test_a_profile_that_can_t_be_names_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_profile(replace(KIM, **change), TODAY)

    assert [error.field for error in refused.value.errors] == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        check_profile(replace(KIM, name=" ", timezone="Nowhere"), TODAY)

    assert [error.field for error in refused.value.errors] == ["name", "timezone"]


@given(st.dates(date(1906, 1, 1), TODAY), st.sampled_from(sorted(timezones())))
def test_every_runner_alive_has_a_profile(born_on: date, timezone: str) -> None:
    profile = replace(KIM, born_on=born_on, timezone=timezone)

    assert check_profile(profile, TODAY) == profile


def test_an_account_that_is_not_active_may_book_for_a_day() -> None:
    assert scopes_of(ACCOUNT, NOW + timedelta(hours=23, minutes=59)) == ("bookings:read", "bookings:write")
    assert scopes_of(ACCOUNT, NOW + timedelta(hours=24)) is None


@pytest.mark.parametrize(
    ("roles", "more"),
    [((Role.RUNNER,), set()), ((Role.RUNNER, Role.ADMIN), {"admin"}), ((Role.RUNNER, Role.HOTELIER), {"hotelier"})],
)
def test_an_active_account_may_do_what_its_roles_allow(roles: tuple[Role, ...], more: set[str]) -> None:
    scopes = scopes_of(replace(ACCOUNT, activated_at=NOW, roles=roles), NOW + timedelta(days=900))

    assert scopes is not None
    assert set(scopes) == set(SCOPES) - {SERVICE, "admin", "hotelier"} | more


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::1", "2001:0db8:0001:0002"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_counts_as_what_one_customer_gets(address: str, network: str) -> None:
    assert network_of(address) == network
