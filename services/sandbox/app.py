"""The sandbox, put together."""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.chassis.service import Built, Chassis, Service
from services.chassis.settings import WrongSetting
from services.sandbox.faults import Faults
from services.sandbox.handlers import faults, mailbox
from services.sandbox.mailbox.folder import Folder
from services.sandbox.mailbox.reading import Mailbox
from services.sandbox.mailbox.smtp import PARTY, MailboxDoor
from services.sandbox.pages import Pages
from services.sandbox.settings import Settings
from services.sandbox.usecases import UseCases

STATIC = Path(__file__).parent / "static"


async def build(chassis: Chassis, settings: Settings) -> Built:
    """Wire the sandbox, and open its mailbox. Raises `WrongSetting` in production, or where the SMTP port is taken."""
    process = chassis.process
    if process.production:
        raise WrongSetting("The sandbox is never for production: don't start it where RUNNERLY_ENVIRONMENT=production")
    path = process.home / "sandbox" / "mailbox"
    folder = await asyncio.to_thread(Folder, path, limit=settings.sandbox_mails_kept)
    knobs = Faults([PARTY])
    door = MailboxDoor(folder, knobs, host=process.host, port=process.sandbox_smtp_port)
    try:
        await door.open()
    except OSError as error:
        raise WrongSetting(
            f"Port {process.sandbox_smtp_port} can't be used ({error.strerror}): set RUNNERLY_SANDBOX_SMTP_PORT"
        ) from None
    return Built(uses=UseCases(Mailbox(folder), knobs, Pages()), close=door.close)


SERVICE = Service(
    name="sandbox",
    summary="The outside world, played locally",
    prefixes=("/", "/mailbox", "/faults", "/assets"),
    routes=(*mailbox.ROUTES, *faults.ROUTES),
    assets={"/assets": STATIC},
    settings=Settings,
    build=build,
    needs_database=False,
)
