"""What every other contract suite leans on: the database that tests start."""

from collections.abc import Callable

from services.chassis.mongo import Database, Mongo, Session
from tests.support.database import DatabaseServer, answers


async def test_fresh_databases_share_nothing(fresh_database: Callable[[str], Database]) -> None:
    one, other = fresh_database("here"), fresh_database("here")
    await one.collection("things").insert_one({"_id": 1})
    assert await other.collection("things").count_documents({}) == 0


async def test_an_answered_transaction_survives_a_kill(own_database_server: DatabaseServer, own_mongo: Mongo) -> None:
    database = own_mongo.database("survivor")

    async def both(session: Session) -> None:
        await database.collection("a").insert_one({"_id": 1}, session=session)
        await database.collection("b").insert_one({"_id": 1}, session=session)

    await database.transact(both)
    own_database_server.kill()
    own_database_server.start()
    await answers(own_mongo)
    assert await database.collection("a").count_documents({}) == 1
    assert await database.collection("b").count_documents({}) == 1
