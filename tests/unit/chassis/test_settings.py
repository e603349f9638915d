"""The environment is read once, and what is wrong with it is told in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from services.chassis import settings
from services.chassis.settings import ProcessSettings, WrongSetting


class Example(Struct, frozen=True):
    doors: Annotated[int, Meta(ge=1, description="How many doors")] = 2
    place: Annotated[Path | None, Meta(description="Where it stands")] = None
    secret: Annotated[str, settings.env("THE_SECRET", "What nobody knows", secret=True)] = ""
    open: Annotated[bool, Meta(description="Whether it is open")] = False


def test_defaults_stand_where_nothing_is_set() -> None:
    assert settings.read(Example, {}) == Example()


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert settings.read(Example, {"RUNNERLY_DOORS": ""}).doors == 2


def test_values_are_read_as_their_types() -> None:
    read = settings.read(Example, {"RUNNERLY_DOORS": "3", "RUNNERLY_PLACE": "/srv", "RUNNERLY_OPEN": "true"})
    assert read == Example(3, Path("/srv"), "", open=True)


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("xyz\n")
    assert settings.read(Example, {"THE_SECRET_FILE": str(tmp_path / "secret")}).secret == "xyz"


def test_a_file_that_is_not_there_is_told_by_its_variable() -> None:
    with pytest.raises(WrongSetting, match=r"THE_SECRET_FILE names /nowhere, which can't be read"):
        settings.read(Example, {"THE_SECRET_FILE": "/nowhere"})


@pytest.mark.parametrize("value", ["0", "many", "1.5"])
def test_a_wrong_value_is_told_by_its_variable_and_meaning(value: str) -> None:
    with pytest.raises(WrongSetting, match=r"Set RUNNERLY_DOORS \(How many doors\)"):
        settings.read(Example, {"RUNNERLY_DOORS": value})


def test_secrets_are_masked_where_settings_are_shown() -> None:
    shown = settings.effective(Example(secret="xyz"))
    assert shown["THE_SECRET"] == settings.MASK
    assert "xyz" not in str(shown)


def test_every_setting_of_a_process_is_documented() -> None:
    for setting in settings.describe(ProcessSettings):
        assert setting.description, setting.variable


def test_peers_are_reached_through_the_internal_port_unless_told_otherwise() -> None:
    assert ProcessSettings(internal_port=9).peer("accounts") == "http://127.0.0.1:9/accounts"
    assert ProcessSettings(peer_url="http://{service}:8090/{service}").peer("mailer") == "http://mailer:8090/mailer"
