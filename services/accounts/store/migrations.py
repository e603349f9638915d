"""What is done once to the data of an older version."""

from __future__ import annotations

from services.accounts.store.accounts import ACCOUNTS, UNCONFIRMED
from services.accounts.store.finder import Finder
from services.chassis.mongo import Database, Migration


async def _number_accounts(database: Database) -> None:
    """What lists of accounts are made of was not kept with each yet."""
    await Finder(database).fill_in()


async def _wait_for_confirmations(database: Database) -> None:
    """Since when an account waits to be confirmed was not kept: those that do wait from now on."""
    unknown = {"activated_at": None, UNCONFIRMED: {"$exists": False}}
    await database.collection(ACCOUNTS).update_many(unknown, {"$currentDate": {UNCONFIRMED: True}})


MIGRATIONS = (
    Migration("0001-numbers", _number_accounts),
    Migration("0002-unconfirmed", _wait_for_confirmations),
)
