"""Finding accounts, newest first, among very many.

Not every server that speaks MongoDB's protocol stops at a limit, or reads an index backwards: so a page is looked for in
stretches of numbers, from the newest on, which widen while little is found in them, by the rarest word. So little more is
read than is shown, whether a word is everybody's or one person's. What only the end of a long word would tell apart could
be far away: then a page ends early, and the next goes on from there.
"""

from __future__ import annotations

from services.accounts.domain.accounts import Role
from services.accounts.domain.finding import Listed, matches, terms_for, terms_of
from services.accounts.store.accounts import ACCOUNTS, account_of
from services.accounts.store.directory import LAST_SEEN, NUMBER, ROLES, TERMS, Numbers
from services.chassis.mongo import ASCENDING, DESCENDING, Database, Document, Session

_NARROWEST, _WIDER = 64, 4
_MOST_READ = 1000
_BATCH = 500


class Finder:
    """Finds accounts, and notes what they are found by."""

    def __init__(self, database: Database) -> None:
        self._accounts = database.collection(ACCOUNTS)
        self._numbers = Numbers(database)

    async def page(self, words: list[str], before: int | None, limit: int) -> tuple[list[Listed], int | None]:
        """At most so many that match all the words, the newest first, and the number before which it goes on."""
        upper = await self._numbers.last() + 1 if before is None else before
        width, read = max(2 * limit, _NARROWEST), 0
        term = await self._rarest(terms_for(words), upper - width, upper)
        found: list[Listed] = []
        while upper > 1 and len(found) <= limit and read < _MOST_READ:
            lower = max(upper - width, 0)
            stretch = await self._between(lower, upper, term)
            found += [listed for listed in stretch if matches(listed.account, words)]
            read += len(stretch)
            upper = lower + 1
            width *= _WIDER if len(stretch) < limit else 1
        if len(found) > limit:
            return found[:limit], found[limit - 1].number
        return found, upper if upper > 1 else None

    async def _rarest(self, terms: list[str], lower: int, upper: int) -> str | None:
        """The term that is found least between these numbers; None where there is none, which is everybody."""
        if len(terms) < 2:
            return terms[0] if terms else None
        seen = [len(await self._between(max(lower, 0), upper, term)) for term in terms]
        return terms[seen.index(min(seen))]

    async def _between(self, lower: int, upper: int, term: str | None) -> list[Listed]:
        """Those with numbers between these two (exclusive), the newest first."""
        where: Document = {NUMBER: {"$gt": lower, "$lt": upper}}
        if term is not None:
            where[TERMS] = term
        found = await self._accounts.find(where, {TERMS: 0}).sort(NUMBER, DESCENDING).to_list(None)
        return [_listed(document) for document in found]

    async def one(self, sub: str) -> Listed | None:
        """One account, or None."""
        found = await self._accounts.find_one({"_id": sub}, {TERMS: 0})
        return _listed(found) if found else None

    async def others_look_after(self, session: Session, sub: str) -> bool:
        """Whether anybody but this person can look after this Runnerly."""
        found = self._accounts.find({ROLES: Role.ADMIN.value, "_id": {"$ne": sub}}, {TERMS: 0}, session=session)
        return any([account_of(document).looks_after async for document in found])

    async def fill_in(self) -> int:
        """Number accounts that a version before this one made, in the order of their registration; how many there were."""
        filled = 0
        while found := await self._accounts.find({NUMBER: None}).sort("created_at", ASCENDING).to_list(_BATCH):
            for document in found:
                fields = {NUMBER: await self._numbers.next(), TERMS: terms_of(account_of(document))}
                await self._accounts.update_one({"_id": document["_id"], NUMBER: None}, {"$set": fields})
            filled += len(found)
        return filled


def _listed(document: Document) -> Listed:
    return Listed(account_of(document), document[NUMBER], document.get(LAST_SEEN))
