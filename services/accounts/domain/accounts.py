"""An account, its profile, and what its owner may do."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from msgspec import Meta, Struct
from msgspec.structs import replace

from services.chassis.problems import FieldError, Invalid

OLDEST_PERSON_YEARS = 120
TRIAL = timedelta(hours=24)

RUNNER_SCOPES = (
    "activities:read",
    "activities:write",
    "training:read",
    "training:write",
    "reports:read",
    "bookings:read",
    "bookings:write",
    "account",
)
TRIAL_SCOPES = ("bookings:read", "bookings:write")


class Role(StrEnum):
    """What somebody is here. Everybody is a runner."""

    RUNNER = "runner"
    HOTELIER = "hotelier"
    ADMIN = "admin"


ROLE_SCOPES = {Role.RUNNER: RUNNER_SCOPES, Role.HOTELIER: ("hotelier",), Role.ADMIN: ("admin",)}

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Locale = Annotated[  # RFC 5646, 2.1
    str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35, examples=["de", "pt-BR"])
]
Timezone = Annotated[str, Meta(min_length=1, max_length=64)]
Units = Literal["metric", "imperial"]
Sex = Literal["female", "male"]
Weight = Annotated[float, Meta(ge=20, le=400)]
MaxHeartRate = Annotated[int, Meta(ge=100, le=250)]
RestHeartRate = Annotated[int, Meta(ge=25, le=120)]
Speed = Annotated[float, Meta(ge=0.5, le=10)]


class Profile(Struct, frozen=True):
    """What a person tells about themselves; the numbers are what training is measured by."""

    name: str
    locale: str = "en"
    timezone: str = "UTC"
    units: Units = "metric"
    sex: Sex | None = None
    born_on: date | None = None
    weight_kg: float | None = None
    max_hr_bpm: int | None = None
    rest_hr_bpm: int | None = None
    threshold_speed_mps: float | None = None


class Account(Struct, frozen=True):
    """One person's account. `id` is the `sub` that all services know the person by."""

    id: str
    email: str
    password: str
    profile: Profile
    created_at: datetime
    roles: tuple[Role, ...] = (Role.RUNNER,)
    activated_at: datetime | None = None
    password_set_at: datetime | None = None  # None: the one it was registered with
    disabled_at: datetime | None = None
    version: int = 1

    @property
    def activated(self) -> bool:
        """Whether the owner of the address has confirmed it."""
        return self.activated_at is not None

    @property
    def trial_ends(self) -> datetime | None:
        """When its owner may do nothing more unless they confirm the address; None where they have."""
        return None if self.activated else self.created_at + TRIAL

    @property
    def disabled(self) -> bool:
        """Whether an administrator has shut its owner out."""
        return self.disabled_at is not None

    def may_all_that(self, before: Account) -> bool:
        """Whether its owner may still do all that they could before."""
        return not self.disabled and set(before.roles) <= set(self.roles)

    @property
    def looks_after(self) -> bool:
        """Whether its owner can look after this Runnerly, now."""
        return Role.ADMIN in self.roles and self.activated and not self.disabled

    @property
    def known_of_owner(self) -> tuple[str, ...]:
        """What anybody who knows the person would try first."""
        return (self.profile.name, self.email)


def with_password(account: Account, hashed: str, now: datetime) -> Account:
    """The account with another password."""
    return replace(account, password=hashed, password_set_at=now)


def check_profile(profile: Profile, today: date) -> Profile:
    """The profile, tidied, where it holds together. Raises `Invalid`, naming every field that does not."""
    wrong: list[FieldError] = []
    name = " ".join(profile.name.split())
    if not is_name(name):
        wrong.append(FieldError("name", "A name has letters that can be seen, and no control characters"))
    if profile.timezone not in timezones():
        wrong.append(FieldError("timezone", "This is not a time zone of the IANA database, like Europe/Berlin"))
    if profile.born_on and not (profile.born_on <= today <= _years_after(profile.born_on)):
        wrong.append(FieldError("born_on", "Nobody who runs was born then"))
    if profile.max_hr_bpm and profile.rest_hr_bpm and profile.rest_hr_bpm >= profile.max_hr_bpm:
        wrong.append(FieldError("rest_hr_bpm", "The resting heart rate is below the highest"))
    if wrong:
        raise Invalid(wrong[0].message, errors=tuple(wrong))
    return replace(profile, name=name)


def _years_after(born_on: date) -> date:
    return date(born_on.year + OLDEST_PERSON_YEARS, 12, 31)


def is_name(name: str) -> bool:
    """Whether people can read it: something visible, in any script, and nothing that breaks a line."""
    kinds = {unicodedata.category(letter) for letter in name}
    return not kinds & {"Cc", "Cs", "Zl", "Zp"} and any(kind[0] not in "CZ" for kind in kinds)


@cache
def timezones() -> frozenset[str]:
    """The names in the IANA time zone database."""
    return frozenset(available_timezones())


def scopes_of(account: Account, now: datetime) -> tuple[str, ...] | None:
    """What this account's owner may do now; None where it is disabled, or never confirmed its address in its day."""
    if account.disabled:
        return None
    if account.trial_ends is None:
        return tuple(scope for role in Role if role in account.roles for scope in ROLE_SCOPES[role])
    return TRIAL_SCOPES if now < account.trial_ends else None
