"""What is made from the keys of a deployment: sealed values, keys for one purpose, keyed hashes.

They are random, of 32 bytes each, and live outside the database, in a file of their own. Key-encryption keys (KEKs) seal
and open, and nothing else: so one can be replaced, and what it sealed is sealed anew (see `resealing`). The hashing key is
what keys for one purpose are derived from: what those hashed can't be hashed anew, as nobody has the plain text. Neither is
used directly, but through HKDF-SHA256 (RFC 5869), so that a derived one that leaks tells nothing of another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from services.chassis.settings import ProcessSettings, WrongSetting

KEK_BYTES = 32
FORMAT = b"\x01"
KEY_ID_BYTES, NONCE_BYTES = 8, 12
HEADER_BYTES = len(FORMAT) + KEY_ID_BYTES + NONCE_BYTES
HASHING = "hashing"


class WrongKey(Exception):
    """What was sealed can't be opened: it was sealed with a key that we do not have, or was changed since."""


class KeyFile(Struct, frozen=True):
    """What the file of keys holds: the KEKs, of which the first seals and all open, and the hashing key."""

    keks: tuple[bytes, ...]
    hashing: bytes

    @classmethod
    def fresh(cls) -> KeyFile:
        """New ones."""
        return cls((new_key(),), new_key())

    @classmethod
    def parse(cls, text: str) -> KeyFile:
        """The keys in the lines of the file. Raises `ValueError` with a sentence, never with a key in it.

        Where no line is of a hashing key, the last KEK is that, too: so it was before there were two.
        """
        lines = [line.split() for line in text.splitlines() if line.strip()]
        keks = tuple(_decode(line[0]) for line in lines if len(line) == 1)
        hashing = [_decode(line[1]) for line in lines if len(line) == 2 and line[0] == HASHING]
        if not keks or len(hashing) > 1 or len(keks) + len(hashing) != len(lines):
            raise ValueError("The file of keys has a key-encryption key in each line, and one line of a hashing key")
        return cls(keks, hashing[0] if hashing else keks[-1])

    def text(self) -> str:
        """The lines of the file."""
        return "".join(f"{line}\n" for line in (*map(_encode, self.keks), f"{HASHING} {_encode(self.hashing)}"))


class Secrets:
    """The keys at work. The KEK that seals stays the same for as long as the process runs.

    What a KEK sealed that we don't know may be of one that was put into the file since: `reread` says what is in it now.
    """

    def __init__(
        self,
        kek: bytes,
        *retired: bytes,
        hashing: bytes | None = None,
        reread: Callable[[], KeyFile | None] = lambda: None,
    ) -> None:
        if any(len(key) != KEK_BYTES for key in (kek, *retired, hashing or kek)):
            raise ValueError(f"A key has {KEK_BYTES} bytes")
        self._kek = kek
        self._hashing = hashing or kek
        self._reread = reread
        self._by_id = {_key_id(key): key for key in (*retired, kek)}
        self._derived: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secrets({_key_id(self._kek).hex()})"

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of this purpose, the same for as long as the hashing key is."""
        if purpose not in self._derived:
            self._derived[purpose] = _derive(self._hashing, f"derive/{purpose}")
        return self._derived[purpose]

    def seal(self, plain: bytes, *, bound_to: str = "") -> bytes:
        """Encrypt with AES-256-GCM. It opens only with the same `bound_to`, so that it can't be moved elsewhere.

        The result is format, key id, nonce, ciphertext with its tag. Random nonces are safe for 2^32 values a KEK.
        """
        header = FORMAT + _key_id(self._kek) + os.urandom(NONCE_BYTES)
        return header + _cipher(self._kek).encrypt(header[-NONCE_BYTES:], plain, _associated(header, bound_to))

    def open(self, sealed: bytes, *, bound_to: str = "") -> bytes:
        """What was sealed. Raises `WrongKey`."""
        header, body = sealed[:HEADER_BYTES], sealed[HEADER_BYTES:]
        key = self._key(header[len(FORMAT) : -NONCE_BYTES])
        if len(header) < HEADER_BYTES or not header.startswith(FORMAT) or key is None:
            raise WrongKey("This was sealed with another key-encryption key")
        try:
            return _cipher(key).decrypt(header[-NONCE_BYTES:], body, _associated(header, bound_to))
        except InvalidTag as failure:
            raise WrongKey("This was sealed for something else, or changed since") from failure

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the KEK that seals now."""
        return sealed[len(FORMAT) : HEADER_BYTES - NONCE_BYTES] == _key_id(self._kek)

    def _key(self, key_id: bytes) -> bytes | None:
        if key_id not in self._by_id and (found := self._reread()) is not None:
            self._by_id.update({_key_id(key): key for key in found.keks})
        return self._by_id.get(key_id)

    def keyed_hash(self, purpose: str, value: str) -> str:
        """A hash (HMAC-SHA256, hex) that nobody without the hashing key can compute: to look a value up without keeping it."""
        return hmac.new(self.derive(purpose), value.encode(), hashlib.sha256).hexdigest()


def new_key() -> bytes:
    """A fresh key."""
    return os.urandom(KEK_BYTES)


def key_file_path(process: ProcessSettings) -> Path:
    """The file of keys."""
    return process.kek_file or process.home / "keys" / "kek"


def read_key_file(process: ProcessSettings) -> KeyFile:
    """The keys of this deployment. Raises `WrongSetting` with what to do."""
    path = key_file_path(process)
    try:
        return KeyFile.parse(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise WrongSetting(f"There is no key-encryption key at {path}: run `runnerly keys bootstrap`") from None
    except (OSError, ValueError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "it holds something else"
        raise WrongSetting(
            f"The key-encryption key at {path} can't be read ({reason}): set RUNNERLY_KEK_FILE to its file"
        ) from None


def read_secrets(process: ProcessSettings) -> Secrets:
    """The keys of this deployment, at work. Raises `WrongSetting` with what to do."""
    path = key_file_path(process)
    known = _stamp(path)
    read = read_key_file(process)

    def reread() -> KeyFile | None:
        """What is in the file where it was changed; a made-up value costs a look at its time, no more."""
        nonlocal known
        stamp = _stamp(path)
        if stamp == known:
            return None
        try:
            found = read_key_file(process)
        except WrongSetting:  # it is just being changed
            return None
        known = stamp
        return found

    return Secrets(*read.keks, hashing=read.hashing, reread=reread)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _encode(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEK_BYTES:
        raise ValueError(f"A key must be {KEK_BYTES} bytes in base64url")
    return key


def _derive(kek: bytes, info: str) -> bytes:
    return HKDF(SHA256(), KEK_BYTES, salt=None, info=f"runnerly/{info}".encode()).derive(kek)


def _key_id(kek: bytes) -> bytes:
    return _derive(kek, "key-id")[:KEY_ID_BYTES]


def _cipher(kek: bytes) -> AESGCM:
    return AESGCM(_derive(kek, "seal"))


def _associated(header: bytes, bound_to: str) -> bytes:
    return header + bound_to.encode()
