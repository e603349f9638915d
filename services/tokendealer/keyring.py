"""The signing keys at work in one process: which one signs, and which ones are published."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from services.chassis.flight import SingleFlight
from services.chassis.logs import Logger
from services.chassis.problems import Unavailable
from services.chassis.secrets import Secrets
from services.tokendealer.domain.keys import SigningKey, published, signer
from services.tokendealer.signing import AccessToken, open_signing_key, sign
from services.tokendealer.store import KeyStore

REREAD_AFTER_S = 15.0


class Keyring:
    """The keys as they were a moment ago: reread every few seconds, so that a rotation reaches every process.

    While the database is away the keys that are known go on, for what needs no database.
    """

    def __init__(self, store: KeyStore, secrets: Secrets, clock: Callable[[], datetime], log: Logger) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._log = log
        self._keys: list[SigningKey] = []
        self._opened: dict[str, RSAPrivateKey] = {}
        self._signed_with: str | None = None
        self._read_at = float("-inf")
        self._flight: SingleFlight[None] = SingleFlight()

    async def sign(self, token: AccessToken) -> str:
        """The token, signed. Raises `Unavailable` while there is no key."""
        key = await self._signer()
        if self._signed_with not in {None, key.kid}:
            self._log.info("keys.rotated", kid=key.kid)
        self._signed_with = key.kid
        return sign(token, key.kid, self._private(key))

    async def published(self) -> list[SigningKey]:
        """The keys that tokens may be verified with."""
        return published(await self._current(), self._clock())

    async def check(self) -> None:
        """Return where tokens can be signed (for the health check)."""
        self._private(await self._signer())

    async def _signer(self) -> SigningKey:
        key = signer(await self._current(), self._clock())
        if key is None:
            raise Unavailable("There is no signing key yet: run `runnerly keys bootstrap`")
        return key

    async def _current(self) -> list[SigningKey]:
        if time.monotonic() - self._read_at > REREAD_AFTER_S or not self._keys:
            await self._flight.join(self._reread)
        return self._keys

    async def _reread(self) -> None:
        try:
            self._keys = await self._store.all()
            self._opened = {key.kid: self._opened[key.kid] for key in self._keys if key.kid in self._opened}
        except Exception as failure:
            if not self._keys:
                raise
            self._log.warning("auth.keys_not_refreshed", reason=repr(failure))
        self._read_at = time.monotonic()

    def _private(self, key: SigningKey) -> RSAPrivateKey:
        if key.kid not in self._opened:
            self._opened[key.kid] = open_signing_key(key, self._secrets)
        return self._opened[key.kid]
