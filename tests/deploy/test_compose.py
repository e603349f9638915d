"""compose.yaml: whole, locked down, and calling commands that there are."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.command.main import runnerly

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "compose" / "compose.yaml"
OURS = ("runnerly", "keys", "migrate")
# Those of the Compose specification that we use; another is likely a slip.
KNOWN = {
    "build", "cap_drop", "command", "cpus", "depends_on", "environment", "healthcheck", "hostname", "image", "mem_limit",
    "networks", "pids_limit", "ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def test_it_uses_what_the_specification_knows_and_what_it_declares(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service) <= KNOWN, name
        assert set(service["networks"]) <= set(compose["networks"]), name
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(compose["volumes"]), name
        for other, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][other], (name, other)


def test_every_container_is_locked_down_and_limited(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in {"0", "root"}, name
        assert "mem_limit" in service, name


def test_only_the_door_is_reached_from_outside(compose: dict[str, Any]) -> None:
    published = {name for name, service in compose["services"].items() if service.get("ports")}
    assert published == {"runnerly"}
    assert compose["networks"]["backends"]["internal"] is True
    assert compose["services"]["runnerly"]["ports"][0].startswith("${RUNNERLY_PUBLISH:-127.0.0.1:")


def test_its_commands_are_ours(compose: dict[str, Any]) -> None:
    for name in OURS:
        program, *words = compose["services"][name]["command"]
        if program == "python":
            assert import_module(words[1])
        else:
            assert program == "runnerly"
            context = runnerly.make_context("runnerly", list(words), resilient_parsing=True)
            assert runnerly.get_command(context, words[0]) is not None, words


def test_it_speaks_of_the_image_that_the_dockerfile_makes(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    runnerly_ = compose["services"]["runnerly"]
    assert (FILE.parent / runnerly_["build"]["context"]).resolve() == ROOT
    assert f"EXPOSE {runnerly_['ports'][0].rpartition(':')[2]}" in dockerfile
    assert runnerly_["user"].split(":")[0] in dockerfile
    health = runnerly_["healthcheck"]["test"][1:]
    assert '["' + '", "'.join(health) + '"]' in dockerfile
