"""Apps that run in a browser, at a listed origin, get their tokens; the pages for people are nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.apps import AUTHORIZE, BACK, GRANTS, OURS, TOKEN, app, browser
from tests.support.database import DatabaseServer
from tests.support.tokendealer import tokendealer

APP = BACK.partition("/back")[0]
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("listed", [True, False])
async def test_only_what_is_for_apps_is_for_listed_origins(
    listed: bool, database_server: DatabaseServer, tmp_path: Path
) -> None:
    environ = {"RUNNERLY_CORS_ORIGINS": APP} if listed else {}
    async with tokendealer(database_server, tmp_path, **environ) as dealer:
        kim, one = await browser(dealer, "kim"), await app(dealer, public=True)
        url = dealer.settings.url
        told = {}
        for path in (TOKEN, "/oauth/revoke", "/.well-known/jwks.json", AUTHORIZE, GRANTS):
            async with dealer.client.options(url + path, headers=PREFLIGHT) as answer:
                told[path] = answer.headers.get("Access-Control-Allow-Origin")
        allowed = APP if listed else None
        assert told == {
            TOKEN: allowed,
            "/oauth/revoke": allowed,
            "/.well-known/jwks.json": allowed,
            AUTHORIZE: None,
            GRANTS: None,
        }

        asked = await kim.see("GET", one.address(), Origin=APP)
        answered = await kim.answer(asked, **OURS, Origin=APP)
        wrong = await kim.see("GET", AUTHORIZE, Origin=APP)
        granted = await kim.see("GET", GRANTS, Origin=APP)
        assert [page.status for page in (asked, answered, wrong, granted)] == [200, 303, 400, 200]
        for page in (asked, answered, wrong, granted):
            assert not [name for name in page.headers if name.startswith("Access-Control-")]

        form = {
            "grant_type": "authorization_code",
            "client_id": one.client.id,
            "code": answered.told["code"],
            "redirect_uri": BACK,
            "code_verifier": one.verifier,
        }
        for expected in (200, 400):
            async with dealer.client.post(url + TOKEN, data=form, headers={"Origin": APP}) as answer:
                assert answer.status == expected
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
                assert "Access-Control-Allow-Credentials" not in answer.headers
