"""The signing keys in a running process: rotation, and a database that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from services.chassis.mongo import Database
from services.chassis.problems import Unavailable
from services.chassis.secrets import Secrets, WrongKey, new_key
from services.command.keys import rotate
from services.tokendealer import keyring
from services.tokendealer.domain.keys import PUBLISHED_AHEAD
from services.tokendealer.keyring import Keyring
from services.tokendealer.signing import AccessToken
from services.tokendealer.store import KeyStore
from tests.support.recorded import RecordedLogs

NOW = datetime.now(UTC)
TOKEN = AccessToken("http://runnerly.test", "x", "y", 1, 1, "jti", "x", "")


class Away(KeyStore):
    """A store whose database can be gone."""

    away = False

    async def all(self):  # type: ignore[no-untyped-def]
        if self.away:
            raise ConnectionError("away")
        return await super().all()


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def box() -> Secrets:
    return Secrets(new_key())


@pytest.fixture
async def logs() -> AsyncIterator[RecordedLogs]:
    logs = RecordedLogs()
    yield logs
    logs.close()


@pytest.fixture(autouse=True)
def always_reread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "REREAD_AFTER_S", -1)


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_a_rotation_reaches_a_running_process_when_its_time_comes(
    database: Database, box: Secrets, logs: RecordedLogs
) -> None:
    store, clock = KeyStore(database), Clock()
    ring = Keyring(store, box, clock, logs.logger())
    with pytest.raises(Unavailable, match="keys bootstrap"):
        await ring.check()
    first = await rotate(database, box, NOW)
    second = await rotate(database, box, NOW)
    assert kid_of(await ring.sign(TOKEN)) == first.kid
    assert [key.kid for key in await ring.published()] == [first.kid, second.kid]
    clock.now = NOW + PUBLISHED_AHEAD + timedelta(seconds=1)
    assert kid_of(await ring.sign(TOKEN)) == second.kid
    assert logs.fields("keys.rotated")["kid"] == second.kid


async def test_known_keys_go_on_while_the_database_is_away(
    database: Database, box: Secrets, logs: RecordedLogs
) -> None:
    store = Away(database)
    ring = Keyring(store, box, Clock(), logs.logger())
    store.away = True
    with pytest.raises(ConnectionError):
        await ring.published()
    store.away = False
    key = await rotate(database, box, NOW)
    await ring.check()
    store.away = True
    assert [known.kid for known in await ring.published()] == [key.kid]
    assert kid_of(await ring.sign(TOKEN)) == key.kid
    assert "auth.keys_not_refreshed" in logs.events


async def test_the_health_check_notices_a_wrong_key_encryption_key(
    database: Database, box: Secrets, logs: RecordedLogs
) -> None:
    await rotate(database, box, NOW)
    with pytest.raises(WrongKey):
        await Keyring(KeyStore(database), Secrets(new_key()), Clock(), logs.logger()).check()
