"""`runnerly keys rotate` while people renew and use their tokens: nobody notices."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from services.chassis import auth
from services.chassis.secrets import read_secrets
from services.command import keys
from services.command.keys import rotate
from services.tokendealer import app as tokendealer
from services.tokendealer import keyring
from tests.support.database import DatabaseServer
from tests.support.street import Street, street

# In place of a quarter of an hour; verifiers ask for keys at most so often, which is what that time is for.
BETWEEN_FETCHES_S = 1.0
AHEAD_S = BETWEEN_FETCHES_S + 2
RUNNERS, AFTERWARDS = 3, 10


async def test_no_request_fails_while_keys_rotate(
    database_server: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "BETWEEN_FETCHES_S", BETWEEN_FETCHES_S)
    monkeypatch.setattr(keyring, "REREAD_AFTER_S", 0.5)
    monkeypatch.setattr(keys, "PUBLISHED_AHEAD", timedelta(seconds=AHEAD_S))
    async with street(database_server, tmp_path) as there:
        addresses = [f"runner-{number}@runnerly.test" for number in range(RUNNERS)]
        for email in addresses:
            await there.active_runner(email)
        database = there.mongo.database(tokendealer.SERVICE.database)
        key = await rotate(database, read_secrets(there.settings), datetime.now(UTC))
        used = await asyncio.gather(*(runs(there, email, key.kid) for email in addresses))
        tokens = [token for each in used for token in each]
        kids = [kid_of(token) for token in tokens]
        assert len(set(kids)) == 2, "both keys signed"
        assert kids[-1] == key.kid
        before = tokens[max(place for place, kid in enumerate(kids) if kid != key.kid)]
        assert (await there.ask("GET", "accounts/me", token=before)).status == 200, "the old key verifies yet"
        async with there.http.get(f"{there.settings.url}/.well-known/jwks.json") as published:
            assert {each["kid"] for each in (await published.json())["keys"]} == set(kids)


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def runs(there: Street, email: str, kid: str) -> list[str]:
    """The access tokens that somebody got and used, again and again, the last of them signed by that key; each call must do."""
    session = (await there.sign_in(email)).body
    tokens: list[str] = []
    while [kid_of(token) for token in tokens].count(kid) < AFTERWARDS:
        refreshed = await there.ask("POST", "sessions/refresh", {"refresh_token": session["refresh_token"]})
        assert refreshed.status == 200, refreshed.body
        session = refreshed.body
        tokens.append(str(session["access_token"]))
        read = await there.ask("GET", "accounts/me", token=tokens[-1])
        assert read.status == 200, read.body
        await asyncio.sleep(0.02)
    return tokens
