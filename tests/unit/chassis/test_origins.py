"""Which origins may stand on the list, and how a wrong one is told."""

from __future__ import annotations

import pytest

from services.chassis import settings
from services.chassis.origins import Origins
from services.chassis.settings import ProcessSettings, WrongSetting


def test_there_is_none_unless_told() -> None:
    assert not ProcessSettings().cors_origins


def test_they_stand_between_blanks_or_commas() -> None:
    told = settings.read(
        ProcessSettings, {"RUNNERLY_CORS_ORIGINS": "https://b.example, http://localhost:5173\nhttps://a"}
    )
    assert list(told.cors_origins) == ["http://localhost:5173", "https://a", "https://b.example"]
    assert settings.effective(told)["RUNNERLY_CORS_ORIGINS"] == "http://localhost:5173 https://a https://b.example"


@pytest.mark.parametrize(
    "origin", ["https://xn--bcher-kva.example", "https://10.0.0.7:8443", "https://[2001:db8::1]", "http://[::1]:3000"]
)
def test_an_origin_is_as_browsers_send_it(origin: str) -> None:
    assert origin in Origins.parse(origin)


@pytest.mark.parametrize(
    "wrong",
    [
        "*",
        "null",
        "app.example",
        "https://*.example",
        "https://app.example/",
        "https://app.example/path",
        "https://App.example",
        "https://bücher.example",
        "https://somebody@app.example",
        "https://app.example:443",
        "http://localhost:80",
        "https://app.example:99999",
        "http://app.example",
        "http://127.0.0.1.evil.example",
        "https://app.example https://.example",
        "https://",
        "file://",
    ],
)
def test_anything_else_stops_the_process_and_says_what_to_set(wrong: str) -> None:
    with pytest.raises(WrongSetting, match="Set RUNNERLY_CORS_ORIGINS"):
        settings.read(ProcessSettings, {"RUNNERLY_CORS_ORIGINS": wrong})
