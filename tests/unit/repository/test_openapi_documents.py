"""The OpenAPI documents that are committed are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.command.openapi import documents, openapi

FOLDER = Path(__file__).parents[3] / "docs" / "openapi"


def test_they_are_fresh() -> None:
    answer = CliRunner().invoke(openapi, ["--check", "--folder", str(FOLDER)])
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize("change", ["changed", "missing", "left over"])
def test_a_stale_one_is_named(tmp_path: Path, change: str) -> None:
    for name, document in documents().items():
        (tmp_path / name).write_bytes(document)
    match change:
        case "changed":
            (tmp_path / "accounts.json").write_bytes(b"{}")
        case "missing":
            (tmp_path / "accounts.json").unlink()
        case "left over":
            (tmp_path / "accounts.json").rename(tmp_path / "lodgers.json")
    before = sorted(tmp_path.iterdir())
    answer = CliRunner().invoke(openapi, ["--check", "--folder", str(tmp_path)])
    assert answer.exit_code == 1
    assert ("lodgers.json" if change == "left over" else "accounts.json") in answer.output
    assert sorted(tmp_path.iterdir()) == before

    assert CliRunner().invoke(openapi, ["--folder", str(tmp_path)]).exit_code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == documents()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_they_are_valid_openapi(path: Path) -> None:
    OpenAPIV31SpecValidator(json.loads(path.read_bytes())).validate()
