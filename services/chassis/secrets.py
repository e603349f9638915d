"""What is made from the key-encryption key (KEK): keys for one purpose, sealed values, keyed hashes.

The KEK is 32 random bytes that live outside the database, in a file of their own. Nothing uses it directly: each
purpose gets a key derived from it with HKDF-SHA256 (RFC 5869), so that one that leaks tells nothing of another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.chassis.settings import ProcessSettings, WrongSetting

KEK_BYTES = 32
FORMAT = b"\x01"
KEY_ID_BYTES, NONCE_BYTES = 8, 12
HEADER_BYTES = len(FORMAT) + KEY_ID_BYTES + NONCE_BYTES


class WrongKey(Exception):
    """What was sealed can't be opened: it was sealed with a key that we do not have, or was changed since."""


class Secrets:
    """The KEK at work. `retired` are earlier KEKs: what they sealed still opens, nothing new is sealed with them."""

    def __init__(self, kek: bytes, *retired: bytes) -> None:
        if any(len(key) != KEK_BYTES for key in (kek, *retired)):
            raise ValueError(f"A key-encryption key has {KEK_BYTES} bytes")
        self._kek = kek
        self._by_id = {_key_id(key): key for key in (*retired, kek)}
        self._derived: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secrets({_key_id(self._kek).hex()})"

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of this purpose, the same for as long as the KEK is."""
        if purpose not in self._derived:
            self._derived[purpose] = _derive(self._kek, f"derive/{purpose}")
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
        key = self._by_id.get(header[len(FORMAT) : -NONCE_BYTES])
        if len(header) < HEADER_BYTES or not header.startswith(FORMAT) or key is None:
            raise WrongKey("This was sealed with another key-encryption key")
        try:
            return _cipher(key).decrypt(header[-NONCE_BYTES:], body, _associated(header, bound_to))
        except InvalidTag as failure:
            raise WrongKey("This was sealed for something else, or changed since") from failure

    def keyed_hash(self, purpose: str, value: str) -> str:
        """A hash (HMAC-SHA256, hex) that nobody without the KEK can compute: to look a value up without keeping it."""
        return hmac.new(self.derive(purpose), value.encode(), hashlib.sha256).hexdigest()


def new_kek() -> bytes:
    """A fresh key-encryption key."""
    return os.urandom(KEK_BYTES)


def encode_kek(kek: bytes) -> str:
    """A KEK as the one line that its file holds (base64url)."""
    return base64.urlsafe_b64encode(kek).decode()


def decode_kek(line: str) -> bytes:
    """The KEK in the line of its file. Raises `ValueError` with a sentence, never with the key in it."""
    try:
        kek = base64.b64decode(line.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        kek = b""
    if len(kek) != KEK_BYTES:
        raise ValueError(f"The key-encryption key must be {KEK_BYTES} bytes in base64url")
    return kek


def kek_path(process: ProcessSettings) -> Path:
    """The file that holds the KEK."""
    return process.kek_file or process.home / "keys" / "kek"


def read_kek(process: ProcessSettings) -> bytes:
    """The KEK of this deployment. Raises `WrongSetting` with what to do."""
    path = kek_path(process)
    try:
        return decode_kek(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise WrongSetting(f"There is no key-encryption key at {path}: run `runnerly keys bootstrap`") from None
    except (OSError, ValueError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "it holds something else"
        raise WrongSetting(
            f"The key-encryption key at {path} can't be read ({reason}): set RUNNERLY_KEK_FILE to its file"
        ) from None


def _derive(kek: bytes, info: str) -> bytes:
    return HKDF(SHA256(), KEK_BYTES, salt=None, info=f"runnerly/{info}".encode()).derive(kek)


def _key_id(kek: bytes) -> bytes:
    return _derive(kek, "key-id")[:KEY_ID_BYTES]


def _cipher(kek: bytes) -> AESGCM:
    return AESGCM(_derive(kek, "seal"))


def _associated(header: bytes, bound_to: str) -> bytes:
    return header + bound_to.encode()
