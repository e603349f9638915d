"""Look after the second factor of one's account: set it up, confirm it, renew its recovery codes, remove it.

An app's secret is sealed (it has to be known to check a code), and bound to its person. Whoever only sits at a session
that was left open can't turn it on: it takes the password, or a sign-in of the last minutes. Turning it on or off ends
all other sessions, which began under other rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from msgspec import Struct

from services.accounts import events, totp
from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.accounts import Account
from services.accounts.domain.second_factor import (
    FRESH_FOR,
    MOST_WRONG_CODES,
    Proof,
    SecondFactor,
    SecondFactorActive,
    SecondFactorNotSetUp,
    as_compared,
    bound_to,
    is_app_code,
    new_recovery_codes,
    new_secret,
)
from services.accounts.store.accounts import Accounts
from services.accounts.store.second_factors import SecondFactors
from services.accounts.usecases.confirm_password import ConfirmPassword
from services.chassis.bus.event import Message
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import FieldError, Invalid, NotFound
from services.chassis.secrets import Secrets

RECOVERY_PURPOSE = "accounts.recovery-code"


class PasswordNeeded(Invalid):
    """The sign-in is too old to show that it is the owner who asks."""

    kind = "password-needed"
    title = "You signed in a while ago: send your password again"


class Setup(Struct, frozen=True):
    """What an authenticator app is told: the secret as text, in a link, and that as a picture (`data:` address)."""

    secret: str
    otpauth_uri: str
    qr_code: str


@dataclass(frozen=True, slots=True)
class FactorVault:
    """The second factors, with what seals their secrets and hashes their recovery codes."""

    factors: SecondFactors
    box: Secrets

    async def begin(self, sub: str, secret: bytes, now: datetime) -> None:
        """Keep a secret that is to be confirmed. Raises `SecondFactorActive`."""
        await self.factors.begin(SecondFactor(sub, self.box.seal(secret, bound_to=bound_to(sub)), now))

    def step_of(self, factor: SecondFactor, code: str, now: datetime) -> int | None:
        """The time step that an app's code is of, or None."""
        return totp.matching_step(self.box.open(factor.secret, bound_to=bound_to(factor.sub)), code, now)

    def hashed(self, sub: str, code: str) -> str:
        """What is kept of a recovery code."""
        return self.box.keyed_hash(RECOVERY_PURPOSE, f"{sub}:{as_compared(code)}")

    def all_hashed(self, sub: str, codes: Sequence[str]) -> list[str]:
        """What is kept of recovery codes."""
        return [self.hashed(sub, code) for code in codes]


@dataclass(frozen=True, slots=True)
class ProveSecondFactor:
    """At sign-in, after the password: a code of the app, or a recovery code, each of which works once."""

    vault: FactorVault
    clock: Callable[[], datetime]
    metrics: Metrics
    log: Logger

    async def __call__(self, account: Account, otp: str | None) -> Proof:
        """What came of it. A code that is right is used up."""
        factor = await self.vault.factors.find(account.id)
        if factor is None or not factor.active:
            return Proof.NOT_ASKED
        proof = Proof.MISSING if otp is None else await self._prove(account, factor, as_compared(otp))
        self.metrics.incr("accounts.second_factor", outcome=proof.name.lower())
        return proof

    async def is_on_since(self, sub: str, moment: datetime) -> bool:
        """Whether it was turned on after this moment."""
        factor = await self.vault.factors.find(sub)
        return factor is not None and factor.confirmed_at is not None and factor.confirmed_at >= moment

    async def _prove(self, account: Account, factor: SecondFactor, otp: str) -> Proof:
        use = self._use_app_code if is_app_code(otp) else self._use_recovery_code
        return Proof.RIGHT if await use(account, factor, otp) else Proof.WRONG

    async def _use_app_code(self, account: Account, factor: SecondFactor, otp: str) -> bool:
        if factor.guessed_at:
            return False
        step = self.vault.step_of(factor, otp, self.clock())
        if step is not None and await self.vault.factors.use_step(account.id, step):
            return True
        if await self.vault.factors.count_wrong(account.id, partial(_told_of_guesses, account)) == MOST_WRONG_CODES:
            self.log.error("second_factor.guessed_at")
        return False

    async def _use_recovery_code(self, account: Account, factor: SecondFactor, otp: str) -> bool:
        code = self.vault.hashed(account.id, otp)
        if code not in factor.recovery_codes:  # spares a guess its transaction
            return False
        left = await self.vault.factors.use_recovery_code(
            account.id, code, lambda left: [events.mail("recovery-code-used", account, {"left": left})]
        )
        if left is None:
            return False
        self.log.warning("recovery_code.used", left=left)
        return True


@dataclass(frozen=True, slots=True)
class KeepSecondFactor:
    """What people do with their own. `session` is the sign-in they do it from, which goes on."""

    vault: FactorVault
    accounts: Accounts
    confirm_password: ConfirmPassword
    tokendealer: Tokendealer
    clock: Callable[[], datetime]
    log: Logger

    async def read(self, sub: str) -> SecondFactor | None:
        """The active one, or None."""
        factor = await self.vault.factors.find(sub)
        return factor if factor is not None and factor.active else None

    async def set_up(self, sub: str, password: str | None, *, session: str | None, client_ip: str) -> Setup:
        """Begin; it is on once it is confirmed. Raises `SecondFactorActive`, `PasswordNeeded`."""
        if password is not None:
            account = await self.confirm_password(sub, password, client_ip=client_ip)
        else:
            await self._check_fresh(sub, session)
            account = await self._account(sub)
        secret = new_secret()
        await self.vault.begin(sub, secret, self.clock())
        uri = totp.otpauth_uri(secret, account.email)
        return Setup(totp.secret_text(secret), uri, totp.qr_code(uri))

    async def confirm(self, sub: str, otp: str, *, session: str | None) -> tuple[str, ...]:
        """Turn it on with a code of the app; the recovery codes.

        Raises `Invalid` for a wrong code, `SecondFactorNotSetUp`, `SecondFactorActive`.
        """
        account, factor, now = await self._account(sub), await self.vault.factors.find(sub), self.clock()
        if factor is not None and factor.active:
            raise SecondFactorActive
        if factor is None or not factor.is_pending(now):
            raise SecondFactorNotSetUp
        step = self.vault.step_of(factor, as_compared(otp), now)
        if step is None:
            raise Invalid.field("otp", "This is not the code that the app shows now")
        codes = new_recovery_codes()
        told = _told("second-factor-on", account, keep=session)
        if not await self.vault.factors.activate(factor, step, self.vault.all_hashed(sub, codes), now, told):
            raise SecondFactorNotSetUp
        self.log.info("second_factor.activated")
        return codes

    async def renew_recovery_codes(self, sub: str, password: str, *, client_ip: str) -> tuple[str, ...]:
        """New recovery codes in the place of all others. Raises `Invalid`, `TooManyAttempts`, `SecondFactorNotSetUp`."""
        account = await self.confirm_password(sub, password, client_ip=client_ip)
        codes, told = new_recovery_codes(), [events.mail("recovery-codes-renewed", account)]
        if not await self.vault.factors.replace_recovery_codes(sub, self.vault.all_hashed(sub, codes), told):
            raise SecondFactorNotSetUp
        self.log.info("recovery_codes.renewed")
        return codes

    async def remove(self, sub: str, password: str, *, session: str | None, client_ip: str) -> None:
        """Turn it off. Raises `Invalid` for a wrong password, `TooManyAttempts`, and `NotFound` where there is none."""
        account = await self.confirm_password(sub, password, client_ip=client_ip)
        if not await self.vault.factors.remove(sub, removal(account, keep=session)):
            raise NotFound
        self.log.warning("second_factor.removed", by="owner")

    async def _account(self, sub: str) -> Account:
        account = await self.accounts.find(sub)
        if account is None:
            raise NotFound
        return account

    async def _check_fresh(self, sub: str, session: str | None) -> None:
        """Raise `PasswordNeeded` unless this sign-in began in the last minutes, so that the password was typed just now."""
        since = self.clock() - FRESH_FOR
        families = await self.tokendealer.families(sub)
        if not any(family.id == session and family.created_at > since for family in families):
            raise PasswordNeeded(errors=(FieldError("password", PasswordNeeded.title),))


def _told_of_guesses(account: Account, wrong_codes: int) -> list[Message]:
    return [events.mail("second-factor-guessed", account)] if wrong_codes == MOST_WRONG_CODES else []


def removal(account: Account, *, keep: str | None) -> list[Message]:
    """What is told of a second factor that was turned off."""
    return _told("second-factor-off", account, keep=keep)


def _told(template: str, account: Account, *, keep: str | None) -> list[Message]:
    return [events.mail(template, account), events.second_factor_changed(account.id, keep=keep)]
