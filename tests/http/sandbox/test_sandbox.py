"""The sandbox as a whole: mail goes in by SMTP, and comes out over HTTP."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from services.chassis.settings import WrongSetting
from services.sandbox.app import SERVICE
from tests.support.contract import Contract, checking
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.processes import free_port


@dataclass
class Sandbox:
    url: str
    smtp_port: int
    http: aiohttp.ClientSession

    async def send(self, to: str, subject: str = "Welcome", html: str = "<p>Hello</p>") -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Runnerly <no-reply@runnerly.test>", to, subject
        message.set_content("Hello, see http://127.0.0.1:8080/activate?token=abc.\n")
        message.add_alternative(html, subtype="html")
        message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="März.pdf")
        await aiosmtplib.send(message, hostname="127.0.0.1", port=self.smtp_port, timeout=60)

    async def mails(self, query: str = "") -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/mailbox/messages{query}") as answer:
            assert answer.status == 200
            items: list[dict[str, Any]] = (await answer.json())["items"]
            return items

    async def page(self, path: str) -> tuple[str, str]:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, path
            assert answer.content_type == "text/html"
            return await answer.text(), answer.headers["Content-Security-Policy"]


@pytest.fixture
async def sandbox(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Sandbox]:
    port = free_port()
    async with process([SERVICE], database_server.uri, tmp_path, RUNNERLY_SANDBOX_SMTP_PORT=str(port)) as settings:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{settings.url}/api/openapi/sandbox.json") as document,
        ):
            contract = Contract(await document.json())
        async with aiohttp.ClientSession(trace_configs=[checking(contract)]) as client:
            yield Sandbox(settings.url, port, client)


async def test_mail_is_read_newest_first_by_whom_it_is_to(sandbox: Sandbox) -> None:
    await sandbox.send("kim@runnerly.test", "first")
    await sandbox.send("kim@runnerly.test", "second")
    await sandbox.send("lou@runnerly.test", "third")

    assert [mail["subject"] for mail in await sandbox.mails()] == ["third", "second", "first"]
    assert [mail["subject"] for mail in await sandbox.mails("?to=KIM@runnerly.test")] == ["second", "first"]
    assert [mail["subject"] for mail in await sandbox.mails("?to=kim@runnerly.test&limit=1")] == ["second"]
    assert await sandbox.mails("?to=nobody@runnerly.test") == []


async def test_a_mail_has_all_its_parts(sandbox: Sandbox) -> None:
    await sandbox.send("kim@runnerly.test")

    [mail] = await sandbox.mails()

    assert set(mail) == {"id", "to", "from", "subject", "text", "html", "attachments", "received_at"}
    assert (mail["to"], mail["from"]) == ("kim@runnerly.test", "Runnerly <no-reply@runnerly.test>")
    assert "activate?token=abc" in mail["text"]
    assert mail["html"] == "<p>Hello</p>\n"
    [file] = mail["attachments"]
    assert (file["name"], file["type"], file["size"]) == ("März.pdf", "application/pdf", 8)
    async with sandbox.http.get(sandbox.url + file["url"]) as answer:
        assert await answer.read() == b"%PDF-1.7"
        assert "attachment" in answer.headers["Content-Disposition"]
    async with sandbox.http.get(f"{sandbox.url}/mailbox/messages/{mail['id']}") as answer:
        assert await answer.json() == mail


@pytest.mark.parametrize("limit", ["0", "101", "x"])
async def test_the_list_is_bounded(sandbox: Sandbox, limit: str) -> None:
    async with sandbox.http.get(f"{sandbox.url}/mailbox/messages?limit={limit}") as answer:
        assert answer.status == 422


async def test_the_pages_show_mail_and_are_safe_from_it(sandbox: Sandbox) -> None:
    await sandbox.send("kim@runnerly.test", "<script>alert(1)</script>", "<script>alert(2)</script><p>Hi</p>")
    [mail] = await sandbox.mails()

    for path in ("/", "/mailbox", "/mailbox?to=kim@runnerly.test", f"/mailbox/letters/{mail['id']}"):
        html, policy = await sandbox.page(path)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
    assert '<a href="http://127.0.0.1:8080/activate?token=abc" rel="noreferrer">' in html
    body, policy = await sandbox.page(f"/mailbox/messages/{mail['id']}/html")
    assert "<p>Hi</p>" in body
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy


async def test_an_empty_mailbox_says_so_and_its_assets_are_there(sandbox: Sandbox) -> None:
    html, _ = await sandbox.page("/mailbox?to=%3Cb%3E@x.test")

    assert "There is no mail to &lt;b&gt;@x.test yet." in html
    for asset in ("sandbox.css", "sandbox.js"):
        async with sandbox.http.get(f"{sandbox.url}/assets/{asset}") as answer:
            assert answer.status == 200


async def test_a_fault_shows_and_ends(sandbox: Sandbox) -> None:
    await put_fault(sandbox, {"error_rate": 1.0, "status": 452})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await sandbox.send("kim@runnerly.test")
    assert refused.value.code == 452

    await put_fault(sandbox, {"down": True})
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await sandbox.send("kim@runnerly.test")

    await put_fault(sandbox, {})
    await sandbox.send("kim@runnerly.test")
    assert len(await sandbox.mails()) == 1


async def put_fault(sandbox: Sandbox, fault: dict[str, object], party: str = "mailbox", status: int = 200) -> None:
    async with sandbox.http.put(f"{sandbox.url}/faults/{party}", json=fault) as answer:
        assert answer.status == status


async def test_a_fault_that_makes_no_sense_is_refused(sandbox: Sandbox) -> None:
    await put_fault(sandbox, {"error_rate": 2}, status=422)
    await put_fault(sandbox, {"latency": 2}, status=422)
    await put_fault(sandbox, {}, party="bank", status=404)


async def test_mail_can_be_thrown_away(sandbox: Sandbox) -> None:
    for to in ("kim@runnerly.test", "kim@runnerly.test", "lou@runnerly.test"):
        await sandbox.send(to)

    async with sandbox.http.delete(f"{sandbox.url}/mailbox/messages?to=kim@runnerly.test") as answer:
        assert answer.status == 204
    assert [mail["to"] for mail in await sandbox.mails()] == ["lou@runnerly.test"]
    async with sandbox.http.delete(f"{sandbox.url}/mailbox/messages") as answer:
        assert answer.status == 204
    assert await sandbox.mails() == []


@pytest.mark.parametrize(
    "path", ["/mailbox/messages/..%2f..%2fetc%2fpasswd", "/mailbox/messages/x/html", "/mailbox/letters/x"]
)
async def test_what_is_not_there_is_a_404(sandbox: Sandbox, path: str) -> None:
    async with sandbox.http.get(sandbox.url + path) as answer:
        assert answer.status == 404


async def test_mail_outlives_a_restart(database_server: DatabaseServer, tmp_path: Path) -> None:
    port = free_port()
    for sent in range(2):
        async with (
            process([SERVICE], database_server.uri, tmp_path, RUNNERLY_SANDBOX_SMTP_PORT=str(port)) as settings,
            aiohttp.ClientSession() as client,
        ):
            sandbox = Sandbox(settings.url, port, client)
            assert len(await sandbox.mails()) == sent
            await sandbox.send("kim@runnerly.test")


async def test_it_refuses_to_start_in_production(database_server: DatabaseServer, tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="RUNNERLY_ENVIRONMENT"):
        async with process([SERVICE], database_server.uri, tmp_path, RUNNERLY_ENVIRONMENT="production"):
            pass


async def test_a_port_that_is_taken_is_named(database_server: DatabaseServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(WrongSetting, match="SANDBOX_SMTP_PORT"):
            async with process([SERVICE], database_server.uri, tmp_path, RUNNERLY_SANDBOX_SMTP_PORT=port):
                pass
