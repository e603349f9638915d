"""Somebody's telephone with an authenticator app on it: pyotp, which is not what the program uses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pyotp

from tests.support.street import PASSWORD, Answered, Street


@dataclass
class Authenticator:
    """An app that took a secret. `code` is what it showed then; with `ahead`, what it showed so many steps later.

    A step of half a minute may end in any test: the code of one is what it was, and is good for one step after it.
    """

    secret: str
    recovery_codes: list[str] = field(default_factory=list)
    took_at: int = field(default_factory=lambda: int(time.time()))

    def code(self, *, ahead: int = 0) -> str:
        """Six digits."""
        return pyotp.TOTP(self.secret).at(self.took_at + ahead * 30)

    def code_now(self) -> str:
        """What it shows now, for a test that goes on for minutes, and forgets the codes that were used."""
        return pyotp.TOTP(self.secret).now()

    def wrong_code(self) -> str:
        """Six digits that are none of its codes around now."""
        near = {self.code(ahead=steps) for steps in range(-3, 4)}
        return next(
            code for code in ("000000", "111111", "222222", *map(str, range(300000, 300009))) if code not in near
        )


async def set_up(town: Street, token: str, **body: str) -> Answered:
    """Begin to set up the second factor."""
    return await town.ask("POST", "accounts/me/second-factor", body or None, token=token)


async def turned_on(town: Street, token: str) -> Authenticator:
    """The app of somebody who has just turned the second factor on; its next code is `ahead=1`."""
    begun = await set_up(town, token)
    assert begun.status == 200, begun.body
    app = Authenticator(begun.body["secret"])
    confirmed = await town.ask("POST", "accounts/me/second-factor/confirm", {"otp": app.code()}, token=token)
    assert confirmed.status == 200, confirmed.body
    app.recovery_codes = confirmed.body["recovery_codes"]
    return app


async def forget_used_steps(town: Street) -> None:
    """As if half a minute had passed since a code was used."""
    await town.database.collection("second_factors").update_one({}, {"$set": {"last_step": 0}})


async def remove(town: Street, token: str, password: str = PASSWORD) -> Answered:
    """Turn it off."""
    return await town.ask("POST", "accounts/me/second-factor/remove", {"password": password}, token=token)
