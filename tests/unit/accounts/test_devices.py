"""Devices by their User-Agent header: named as people name them, whatever strangers send."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.devices import Devices

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.fixture(scope="module")
def devices() -> Devices:
    return Devices()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox · Linux"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "Firefox Mobile · Android"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36", "Chrome · Windows"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge · Windows",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome Mobile · Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Mobile/15E148 Safari/604.1",
            "Mobile Safari · iOS",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Safari/605.1.15",
            "Safari · Mac OS X",
        ),
        ("curl/8.14.1", "curl"),
        ("An old phone", None),
        ("", None),
    ],
)
def test_a_device_has_the_name_that_people_know_it_by(devices: Devices, user_agent: str, name: str | None) -> None:
    assert devices.name(user_agent) == name


def test_another_version_is_the_same_device(devices: Devices) -> None:
    names = {
        devices.name(f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0") for n in (120, 145)
    }

    assert names == {"Firefox · Linux"}


@given(
    st.text(max_size=200), st.sampled_from(["{}", "Mozilla/5.0 ({})", "Mozilla/5.0 (Linux; {}) {}/1.0", "{}/1.0 iPad"])
)
def test_no_header_gets_more_than_letters_digits_and_spaces_into_a_name(
    devices: Devices, text: str, shape: str
) -> None:
    name = devices.name(shape.replace("{}", text)[:200])

    assert name is None or re.fullmatch(r"[A-Za-z0-9 +-]{1,40}( · [A-Za-z0-9 +-]{1,40})?", name)


@pytest.mark.parametrize("part", ["(", "Mozilla/5.0 (", "a/1.0 ", "; ", "Safari/", "1."])
def test_no_header_takes_long_to_read(devices: Devices, part: str) -> None:
    began = time.thread_time()
    devices.name(part * 200)

    assert time.thread_time() - began < 0.05
