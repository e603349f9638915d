"""The houses on the street: which services there are. Only the command line knows them all."""

from __future__ import annotations

from importlib import import_module

from services.chassis.service import Service

NAMES = ("tokendealer", "accounts", "activities", "mailer", "dashboard")
SANDBOX = "sandbox"


def service(name: str) -> Service:
    """The declaration of one service; importing it connects to nothing."""
    declared = import_module(f"services.{name}.app").SERVICE
    if not isinstance(declared, Service):
        raise TypeError(f"services.{name}.app has no SERVICE")
    return declared


def street() -> tuple[Service, ...]:
    """Every service that a deployment has."""
    return tuple(service(name) for name in NAMES)
