"""`runnerly users`: an administrator by command, never by somebody else's password; a way in for who has lost theirs."""

from __future__ import annotations

import asyncio

import click
import pytest
from click.testing import CliRunner, Result

from services.chassis.problems import Invalid
from services.command.users import users
from tests.support.authenticator import turned_on
from tests.support.gelf import UdpReceiver
from tests.support.street import PASSWORD, Street
from tests.support.waiting import eventually, eventually_is

ADMINS_PASSWORD = "the password of the admin"


async def create_admin(town: Street, email: str, password: str = ADMINS_PASSWORD) -> Result:
    """Run the command in a thread, as it has an event loop of its own."""
    runner = CliRunner(env={"MONGODB_URI": town.settings.mongodb_uri, "RUNNERLY_HOME": str(town.settings.home)})
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
    await town.secrets_mailed_to("ada@runnerly.test")
    await town.register("ada@runnerly.test", "the attacker's password")
    _, attackers = await town.secrets_mailed_to("ada@runnerly.test", 2)
    await create_admin(town, "ada@runnerly.test")

    await town.activate(attackers)

    assert (await town.sign_in("ada@runnerly.test", "the attacker's password")).status == 401
    assert (await town.sign_in("ada@runnerly.test", ADMINS_PASSWORD)).status == 201


async def remove_second_factor(town: Street, email: str, gelf_url: str = "") -> Result:
    """Run the command as an operator would, on the machine that has the keys."""
    environ = {
        "MONGODB_URI": town.settings.mongodb_uri,
        "RUNNERLY_HOME": str(town.settings.home),
        "GELF_URL": gelf_url,
    }
    return await asyncio.to_thread(CliRunner(env=environ).invoke, users, ["remove-second-factor", "--email", email])


async def test_an_operator_lets_in_who_has_lost_app_and_codes(town: Street) -> None:
    token = await town.active_runner()
    await turned_on(town, token)
    with UdpReceiver() as graylog:
        done = await remove_second_factor(town, "KIM@runnerly.test", graylog.url)
        [told] = graylog.wait_for(1)

    assert done.exit_code == 0, done.output
    assert (told["_event"], told["_by"]) == ("second_factor.removed", "operator")
    assert "kim@" not in str(told)
    assert told["_person"]
    assert (await town.sign_in()).status == 201
    await eventually(
        lambda: any(
            mail["Subject"] == "Signing in takes no code any more" for mail in town.mails_to("kim@runnerly.test")
        )
    )


@pytest.mark.parametrize("email", ["nobody@runnerly.test", "kim@runnerly.test", "kim"])
async def test_where_there_is_no_second_factor_none_is_removed(town: Street, email: str) -> None:
    await town.active_runner()

    refused = await remove_second_factor(town, email)

    assert refused.exit_code == 1
    assert "Traceback" not in refused.output
    assert isinstance(refused.exception, SystemExit)
