"""The mailbox's SMTP door, spoken to by a real client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from services.sandbox.faults import Fault, Faults
from services.sandbox.mailbox.folder import Folder
from services.sandbox.mailbox.letters import read_letter
from services.sandbox.mailbox.smtp import MailboxDoor


class Mailbox:
    def __init__(self, path: Path) -> None:
        self.folder, self.faults = Folder(path, limit=100), Faults(["mailbox"])
        self.door = MailboxDoor(self.folder, self.faults, host="127.0.0.1", port=0)

    async def send(self, to: str, subject: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "no-reply@runnerly.test", to, subject
        message.set_content("Hello")
        await aiosmtplib.send(message, hostname="127.0.0.1", port=self.door.port, timeout=60)


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(tmp_path)
    await mailbox.door.open()
    yield mailbox
    await mailbox.door.close()


async def test_a_mail_that_was_taken_is_in_the_folder(mailbox: Mailbox) -> None:
    await mailbox.send("kim@runnerly.test", "Welcome")

    [message_id] = mailbox.folder.newest(9, "kim@runnerly.test")
    assert read_letter(mailbox.folder.read(message_id)).subject == "Welcome"


async def test_an_internationalised_address_is_taken(mailbox: Mailbox) -> None:
    await mailbox.send("zoë@runnerly.test", "Welcome")

    assert len(mailbox.folder.newest(9, "zoë@runnerly.test")) == 1


async def test_a_failing_mailbox_keeps_nothing_and_says_try_again(mailbox: Mailbox) -> None:
    await mailbox.faults.put("mailbox", Fault(error_rate=1.0))

    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await mailbox.send("kim@runnerly.test", "Welcome")

    assert refused.value.code == 451
    assert mailbox.folder.newest(9) == []


async def test_a_mailbox_that_is_down_refuses_and_comes_back_on_the_same_port(mailbox: Mailbox) -> None:
    await mailbox.faults.put("mailbox", Fault(down=True))
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await mailbox.send("kim@runnerly.test", "Welcome")

    await mailbox.faults.put("mailbox", Fault())
    await mailbox.send("kim@runnerly.test", "Welcome")

    assert len(mailbox.folder.newest(9)) == 1


async def test_a_full_disk_is_a_temporary_failure(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox.folder, "keep", full)

    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await mailbox.send("kim@runnerly.test", "Welcome")

    assert refused.value.code == 452
