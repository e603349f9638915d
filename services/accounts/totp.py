"""Time-based one-time passwords (RFC 6238), with the parameters that every authenticator app knows."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS, STEP_S = 6, 30
DRIFT_STEPS = 1  # either way: RFC 6238, 5.2 recommends at most one for the delay of the network
ISSUER = "Runnerly"


def matching_step(secret: bytes, code: str, now: datetime) -> int | None:
    """The time step whose code this is, of the present one and those beside it; None where it is none of theirs."""
    present, totp = int(now.timestamp()) // STEP_S, _totp(secret)
    steps = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
    matching = [step for step in steps if hmac.compare_digest(totp.generate(step * STEP_S), code.encode())]
    return max(matching, default=None)


def secret_text(secret: bytes) -> str:
    """The secret as apps take it from a keyboard (base32)."""
    return base64.b32encode(secret).decode()


def otpauth_uri(secret: bytes, email: str) -> str:
    """The secret with all that an app shows beside it, as a link."""
    return _totp(secret).get_provisioning_uri(email, ISSUER)


def qr_code(uri: str) -> str:
    """A picture of a link for a telephone's camera: an SVG, as a `data:` address."""
    return str(segno.make(uri, error="m", micro=False).svg_data_uri(scale=4, light="#fff"))


def _totp(secret: bytes) -> TOTP:
    # HMAC-SHA-1 is what RFC 6238 and the apps mean; nothing known against SHA-1 touches HMAC with a random key.
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303  # nosec B303
