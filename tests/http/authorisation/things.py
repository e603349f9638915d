"""What belongs to somebody: for each name in a path a thing of theirs, how it is seen, and how it can be changed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from services.accounts.hashing import Hashing
from tests.http.authorisation.cast import Answer, Cast
from tests.support.recordings import START, a_run, gpx
from tests.support.waiting import eventually_is

API = "/api/v1"
PASSWORD = "correct horse battery staple"

# A change that would be seen, for each operation that has both an id in its path and a body; and what a call between services
# takes that looks at who calls only when it has read that.
CHANGES: dict[str, Any] = {
    "accounts.changeAccount": {"roles": ["runner"]},
    "activities.correctActivity": {"title": "Mine now"},
    "activities.changeGear": {"name": "Mine now"},
    "activities.takeFromStrava": {
        "sport_type": "Run",
        "started_at": "2026-01-01T10:00:00Z",
        "timezone": "UTC",
        "distance_m": 0,
        "elapsed_s": 1,
        "moving_s": 1,
    },
    "tokendealer.changeClient": {"name": "Mine now"},
    "tokendealer.addClientSecret": {"overlap_s": 0},
    "tokendealer.issuePersonsTokens": {"sub": "nobody-at-all", "scopes": []},
    "tokendealer.refreshPersonsTokens": {"refresh_token": "none"},
    "tokendealer.revokePersonsTokens": {"refresh_token": "none"},
    "tokendealer.settlePerson": {"version": 1, "scopes": []},
}


class Things:
    """Things of one person. Each is made anew, since some calls remove it."""

    def __init__(self, cast: Cast, owner: str, token: str) -> None:
        self._cast, self._owner, self._token = cast, owner, token
        self._made: dict[str, str] = {}
        self._makers: dict[str, Callable[[], Awaitable[str]]] = {
            "activity_id": self._activity,
            "gear_id": self._gear,
            "zone_id": self._zone,
            "secret": self._secret,
            "import_id": self._import,
            "client_id": self._client,
            "session_id": self._session,
            "export_id": self._export,
            "deletion_id": self._deletion,
            "account_id": self._account,
        }
        self._seen: dict[str, str] = {
            "activity_id": "activities/{}",
            "gear_id": "gear/{}",
            "zone_id": "privacy-zones",
            "secret": "shared/{}",
            "import_id": "imports/{}",
            "client_id": "clients/{}",
            "session_id": "sessions",
            "export_id": "accounts/me/exports/{}",
            "deletion_id": "accounts/deletions/{}",
            "account_id": "accounts/me",
        }

    @property
    def known(self) -> set[str]:
        """The names that we have things for."""
        return set(self._makers)

    async def make(self, name: str, *, to_be_changed: bool) -> str:
        """A thing for a name in a path: one that nobody has touched, or, where it is only looked at, one from before."""
        if to_be_changed:
            return await self._makers[name]()
        if name not in self._made:
            self._made[name] = await self._makers[name]()
        return self._made[name]

    async def see(self, name: str, thing: str) -> Answer:
        """The thing, as its owner sees it."""
        return await self._call("GET", self._seen[name].format(thing))

    async def _call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        url = f"http://127.0.0.1:{self._cast.settings.port}{API}/{path}"
        return await self._cast.call(method, url, self._token, frozenset({kind} if body is not None else ()), body)

    async def _id(self, path: str, body: Any, kind: str = "application/json") -> str:
        answer = await self._call("POST", path, body, kind)
        assert answer.status in {201, 202}, answer.body
        return str(answer.json["id"])

    async def _activity(self) -> str:
        start = START + timedelta(days=next(self._cast.numbers))
        run = gpx(a_run(900, every=30, start=start))
        made = await self._id("activities?filename=run.gpx", run, "application/octet-stream")
        shared = await self._call("PATCH", f"activities/{made}", {"visibility": "public"})
        assert shared.status == 200, shared.body
        return made

    async def _gear(self) -> str:
        return await self._id("gear", {"kind": "shoes", "name": "Road"})

    async def _zone(self) -> str:
        return await self._id("privacy-zones", {"name": "Elsewhere", "lat": -40.0, "lon": 10.0})

    async def _secret(self) -> str:
        share = await self._call("GET", f"activities/{await self._activity()}/share")
        return str(share.json["secret"])

    async def _import(self) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("read.me", "nothing to run with")
        made = await self._id("imports?filename=runs.zip", packed.getvalue(), "application/octet-stream")
        return await self._done("import_id", made)

    async def _client(self) -> str:
        app = {"name": "Splits", "redirect_uris": ["https://app.test/back"], "scopes": ["activities:read"]}
        return await self._id("clients", app)

    async def _session(self) -> str:
        return (await self._cast.signed_in(self._owner, "account")).family

    async def _export(self) -> str:
        return await self._done("export_id", await self._id("accounts/me/exports", None))

    async def _deletion(self) -> str:
        """Somebody else's, who is gone: its id is all that is needed to see it."""
        hashing = Hashing(threads=1)
        leaver = await self._cast.person(password=await hashing.hash(PASSWORD))
        await hashing.close()
        own = Things(self._cast, leaver, await self._cast.token(leaver))
        return await self._done("deletion_id", await own._id("accounts/me/deletion", {"password": PASSWORD}))

    async def _done(self, name: str, made: str) -> str:
        """The same, once it is done: until then it changes by itself."""

        async def state() -> str:
            return str((await self.see(name, made)).json["state"])

        await eventually_is("done", state)
        return made

    async def _account(self) -> str:
        return self._owner
