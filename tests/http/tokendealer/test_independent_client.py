"""Authlib's client, which knows nothing of Runnerly but its metadata, gets and keeps tokens; joserfc verifies them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from tests.support.apps import BACK, Browser, app, browser
from tests.support.database import DatabaseServer
from tests.support.tokendealer import Dealer, tokendealer


@pytest.fixture
async def dealer(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Dealer]:
    async with tokendealer(database_server, tmp_path) as dealer:
        yield dealer


async def called(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a call of the library gives; it waits, so it does so elsewhere."""
    return await asyncio.to_thread(call, *arguments, **options)


async def sent_back(kim: Browser, url: str) -> str:
    """Where a browser ends up that follows an app's link and says yes."""
    parts = urlsplit(url)
    asked = await kim.see("GET", f"{parts.path}?{parts.query}")
    return asked.to or (await kim.answer(asked)).to


@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_an_independent_client_works_unchanged(dealer: Dealer, public: bool) -> None:
    kim = await browser(dealer, "kim")
    one = await app(dealer, public=public)
    metadata, _ = await dealer.get("/.well-known/oauth-authorization-server")
    renewed: list[dict[str, Any]] = []
    session = OAuth2Session(
        one.client.id,
        one.secret,
        token_endpoint_auth_method="none" if public else "client_secret_basic",
        scope="activities:read reports:read",
        redirect_uri=BACK,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        update_token=lambda token, **_: renewed.append(token),
    )
    session.trust_env = False
    verifier = generate_token(48)
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    back = await sent_back(kim, url)
    token = await called(
        session.fetch_token,
        metadata["token_endpoint"],
        authorization_response=back,
        state=state,
        code_verifier=verifier,
    )
    assert (token["token_type"], token["scope"]) == ("Bearer", "activities:read reports:read")

    keys, _ = await dealer.get(urlsplit(metadata["jwks_uri"]).path)
    decoded = jose.decode(token["access_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    assert decoded.header["typ"] == "at+jwt"
    jose.JWTClaimsRegistry(
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": "runnerly-api"},
        sub={"essential": True, "value": "kim"},
        client_id={"essential": True, "value": one.client.id},
        exp={"essential": True},
    ).validate(decoded.claims)

    refreshed = await called(session.refresh_token, metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert refreshed["refresh_token"] != token["refresh_token"]
    assert renewed
    if not public:
        told = await called(
            session.introspect_token, metadata["introspection_endpoint"], token=refreshed["access_token"]
        )
        assert told.json()["active"] is True
    revoked = await called(session.revoke_token, metadata["revocation_endpoint"], token=refreshed["refresh_token"])
    assert revoked.status_code == 200
    with pytest.raises(Exception, match="invalid_grant"):
        await called(session.refresh_token, metadata["token_endpoint"], refresh_token=refreshed["refresh_token"])
    await called(session.close)


async def test_the_library_notices_an_answer_to_another_question(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    session = OAuth2Session(one.client.id, one.secret, redirect_uri=BACK, code_challenge_method="S256")
    url, _ = session.create_authorization_url(dealer.settings.url + "/oauth/authorize", code_verifier=one.verifier)
    back = await sent_back(kim, url)
    with pytest.raises(Exception, match="state"):
        await called(
            session.fetch_token,
            dealer.settings.url + "/oauth/token",
            authorization_response=back,
            state="another",
            code_verifier=one.verifier,
        )
    await called(session.close)
