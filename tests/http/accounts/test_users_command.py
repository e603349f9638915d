"""`runnerly users create-admin`: an administrator by command, and never by somebody else's password."""

from __future__ import annotations

import asyncio

import click
import pytest
from click.testing import CliRunner, Result

from services.chassis.problems import Invalid
from services.command.users import users
from tests.support.street import PASSWORD, Street
from tests.support.waiting import eventually_is

ADMINS_PASSWORD = "the password of the admin"


async def create_admin(town: Street, email: str, password: str = ADMINS_PASSWORD) -> Result:
    """Run the command in a thread, as it has an event loop of its own."""
    runner = CliRunner(env={"MONGODB_URI": town.settings.mongodb_uri})
    arguments = ["create-admin", "--email", email, "--name", "Ada", "--password-stdin"]
    return await asyncio.to_thread(runner.invoke, users, arguments, input=f"{password}\n")


async def test_a_new_admin_can_sign_in_at_once(town: Street) -> None:
    done = await create_admin(town, "ada@runnerly.test")

    assert (done.exit_code, ADMINS_PASSWORD in done.output) == (0, False)
    signed_in = await town.sign_in("ada@runnerly.test", ADMINS_PASSWORD)
    assert {"admin", "account"} <= set(signed_in.body["scope"].split())
    me = await town.ask("GET", "accounts/me", token=signed_in.body["access_token"])
    assert (me.body["roles"], me.body["name"]) == (["runner", "admin"], "Ada")


async def test_an_active_account_becomes_admin_and_keeps_its_password_and_sessions(town: Street) -> None:
    await town.active_runner()
    latest = {"token": (await town.sign_in()).body["refresh_token"]}

    assert (await create_admin(town, "KIM@runnerly.test")).exit_code == 0

    assert "admin" in (await town.sign_in("kim@runnerly.test", PASSWORD)).body["scope"].split()
    assert (await town.sign_in("kim@runnerly.test", ADMINS_PASSWORD)).status == 401

    async def may_administrate() -> bool:
        renewed = (await town.ask("POST", "sessions/refresh", {"refresh_token": latest["token"]})).body
        latest["token"] = renewed["refresh_token"]
        return "admin" in renewed["scope"].split()

    await eventually_is(True, may_administrate, within_s=60)


async def test_who_registered_the_address_before_its_owner_gets_nothing(town: Street) -> None:
    await town.register("ada@runnerly.test", "the attacker's password")

    assert (await create_admin(town, "ada@runnerly.test")).exit_code == 0

    assert (await town.sign_in("ada@runnerly.test", "the attacker's password")).status == 401
    assert "admin" in (await town.sign_in("ada@runnerly.test", ADMINS_PASSWORD)).body["scope"].split()


@pytest.mark.parametrize(("email", "password"), [("ada", ADMINS_PASSWORD), ("ada@runnerly.test", "short")])
async def test_what_can_t_be_is_refused(town: Street, email: str, password: str) -> None:
    refused = await create_admin(town, email, password)

    assert refused.exit_code == 1
    assert isinstance(refused.exception, SystemExit)
    assert not isinstance(refused.exception, click.ClickException | Invalid)
    assert await town.database.collection("accounts").count_documents({}) == 0


async def test_an_older_link_can_t_replace_the_password_of_an_account_that_is_active(town: Street) -> None:
    await town.register("ada@runnerly.test", "the first password")
    await town.register("ada@runnerly.test", "the attacker's password")
    _, attackers = await town.secrets_mailed_to("ada@runnerly.test", 2)
    await create_admin(town, "ada@runnerly.test")

    await town.activate(attackers)

    assert (await town.sign_in("ada@runnerly.test", "the attacker's password")).status == 401
    assert (await town.sign_in("ada@runnerly.test", ADMINS_PASSWORD)).status == 201
