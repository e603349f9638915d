"""Health, as Mozilla's Dockerflow has it: does the process answer, do its backends, and which version is it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from services.chassis.service import Check

TIMEOUT_S = 2.0
VERSION_FILE = "version.json"


class Health(Struct, frozen=True):
    """How a service is: `ok` when every check is; a failed one says why in a word."""

    status: str
    checks: Mapping[str, str]


class Version(Struct, frozen=True):
    """Which program this is (Dockerflow's `version.json`)."""

    source: str
    version: str
    commit: str | None
    build: str | None


async def examine(checks: Mapping[str, Check]) -> Health:
    """Run all checks at once, each with a time-out, so that one dead backend does not hide how the others are."""
    results = await asyncio.gather(*(_outcome(check) for check in checks.values()))
    outcomes = dict(zip(checks, results, strict=True))
    return Health("ok" if all(result == "ok" for result in results) else "error", outcomes)


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await check()
    except TimeoutError:
        return "late"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return type(error).__name__
    return "ok"


def program_version(root: Path) -> Version:
    """The version as the image was stamped with it; on a checkout, the package's own and nothing of a build."""
    stamp = root / VERSION_FILE
    if stamp.exists():
        stamped = json.loads(stamp.read_text(encoding="utf-8"))
        return Version(stamped["source"], stamped["version"], stamped.get("commit"), stamped.get("build"))
    try:
        number = version("runnerly")
    except PackageNotFoundError:
        number = "0+checkout"
    return Version("runnerly", number, os.environ.get("RUNNERLY_COMMIT"), None)
