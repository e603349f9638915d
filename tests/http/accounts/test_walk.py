"""The walk from owner to owner, for an export or a deletion: it waits for who is away, and goes on after `kill -9`."""

from __future__ import annotations

from pathlib import Path

from services.activities import app as activities
from services.chassis.mongo import Mongo
from tests.support.database import DatabaseServer
from tests.support.mail import mail_server
from tests.support.street import NAMES, PASSWORD
from tests.support.street_process import Process, prepare
from tests.support.waiting import eventually, eventually_is

LEAVING = "leaving@runnerly.test"


async def test_it_goes_on_where_it_was_once_everybody_is_there(database_server: DatabaseServer, tmp_path: Path) -> None:
    """Activities is away: the others have given, or erased, all they hold when the process is killed."""
    mongo = Mongo(database_server.uri)
    await prepare(mongo, tmp_path, more=[activities.SERVICE])
    accounts = mongo.database("runnerly_accounts")
    exports, deletions, places = (accounts.collection(name) for name in ("exports", "deletions", "export_places"))
    async with mail_server() as mail:
        process = Process(database_server.uri, tmp_path, mail.url, RUNNERLY_DELETION_SWEEP_S="1")
        await process.start()
        staying, leaving = [await process.runner(mail, email) for email in ("staying@runnerly.test", LEAVING)]
        export = (await process.ask("POST", "accounts/me/exports", token=staying)).body["id"]
        deletion = (await process.ask("POST", "accounts/me/deletion", {"password": PASSWORD}, token=leaving)).body["id"]

        async def given() -> set[str]:
            found = await exports.find_one({"_id": export})
            return set(found["parts"]) if found else set()

        async def confirmed() -> set[str]:
            found = await deletions.find_one({"_id": deletion})
            return set(found["confirmed"]) if found else set()

        for read in (given, confirmed):
            await eventually_is(set(NAMES), read)
        process.kill()
        gave = {note["_id"] async for note in places.find({"export": export})}

        await process.start(activities.SERVICE.name)

        async def states() -> list[object]:
            asked = await process.ask("GET", f"accounts/me/exports/{export}", token=staying)
            return [asked.body["state"], (await process.ask("GET", f"accounts/deletions/{deletion}")).body["state"]]

        await eventually_is(["done", "done"], states, within_s=90)
        await eventually_is(0, lambda: deletions.count_documents({"sealed": {"$exists": True}}))
        await eventually(
            lambda: "deleted" in str([message["Subject"] for to, message in mail.taken if to == LEAVING][-1])
        )
        process.kill()
    noted = {note["_id"] async for note in places.find({"export": export})}
    assert len(noted - gave) == 2, "one more service gave, and the archive was made: nobody was asked twice"
    mongo.close()
