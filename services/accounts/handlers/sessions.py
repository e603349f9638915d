"""Sessions: sign in, stay signed in, see where one is, and sign out.

A program gets its tokens in the answer. A browser gets them in cookies that no script can read, and the answer says only
what they are good for; what it does with them must come from our own pages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.sessions import Session, SessionEnded, Tokens
from services.accounts.handlers.accounts import Email, Password
from services.accounts.handlers.second_factor import NOT_STORED, Otp
from services.accounts.usecases import UseCases
from services.accounts.usecases.sign_in import (
    AccountDisabled,
    InvalidCredentials,
    NotActivated,
    SecondFactorRequired,
)
from services.chassis.answers import Answer, Cookie, Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import NotFound, Unauthenticated
from services.chassis.sessions import CrossSite

REFUSALS = (InvalidCredentials, SecondFactorRequired, NotActivated, AccountDisabled, TooManyAttempts, CrossSite)


class Credentials(Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs in, and where the tokens are to be: in the answer (`token`, or nothing said) or in cookies (`cookie`).

    `otp` is a code of the authenticator app, or a recovery code, where the account has a second factor.
    """

    email: Email
    password: Password
    otp: Otp | None = None
    mode: Literal["token", "cookie"] | None = None


class Renewal(Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token; without one, the cookie's is used."""

    refresh_token: Annotated[str, Meta(max_length=1024)] | None = None


class SessionTokens(Struct, frozen=True):
    """What a session is worth. In mode `cookie` the tokens themselves are in the cookies, and left out here."""

    expires_in: int
    scope: str
    access_token: str | UnsetType = UNSET
    token_type: str | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET


class BrowserEndpoint(Endpoint[UseCases]):
    """What endpoints have in common that speak to browsers by cookies."""

    def answer(self, tokens: Tokens, *, in_cookies: bool) -> Answer[SessionTokens]:
        """The tokens, where they are wanted."""
        if not in_cookies:
            told = SessionTokens(
                tokens.expires_in, tokens.scope, tokens.access_token, tokens.token_type, tokens.refresh_token
            )
            return Answer(told, headers=NOT_STORED)
        return Answer(
            SessionTokens(tokens.expires_in, tokens.scope), headers=NOT_STORED, cookies=self._cookies_of(tokens)
        )

    def _cookies_of(self, tokens: Tokens) -> tuple[Cookie, ...]:
        names, left = self.serving.sessions, tokens.expires_at - datetime.now(UTC)
        return (
            Cookie(names.access_cookie, tokens.access_token, tokens.expires_in),
            Cookie(names.refresh_cookie, tokens.refresh_token, int(left.total_seconds())),
        )

    def signed_out(self) -> Answer[None]:
        """The answer that takes the cookies away, where there are any."""
        names = (self.serving.sessions.access_cookie, self.serving.sessions.refresh_cookie)
        return Answer(None, cookies=tuple(Cookie(name, "", 0) for name in names if self.get_cookie(name) is not None))

    @property
    def comes_from_a_page(self) -> bool:
        """Whether a browser says where the request comes from; programs don't."""
        return "Sec-Fetch-Site" in self.request.headers or "Origin" in self.request.headers


class Sessions(BrowserEndpoint):
    """All sessions of who asks."""

    @operation("signIn", scope=None, status=201, problems=REFUSALS)
    async def post(self, body: Credentials) -> Answer[SessionTokens]:
        """Sign in. An account that is not activated yet may do so for a day, to book."""
        in_cookies = body.mode == "cookie"
        if in_cookies and self.comes_from_a_page:
            self.check_origin()
        tokens = await self.uses.sign_in(
            body.email, body.password, body.otp, client_ip=self.client_ip, label=self.user_agent
        )
        before = self.get_cookie(self.serving.sessions.refresh_cookie)
        if (
            in_cookies and before is not None
        ):  # the cookies are about to be another session's: nobody would end this one
            await self.uses.sessions.end_by_token(before)
        return self.answer(tokens, in_cookies=in_cookies)

    @operation("listSessions", scope="account")
    async def get(self) -> Items[Session]:
        """See where one is signed in, the newest first."""
        return Items(await self.uses.sessions.all_of(self.caller.sub, self.caller.session))


class Refresh(BrowserEndpoint):
    """The next tokens of a session."""

    @operation("refreshSession", scope=None, problems=(SessionEnded, CrossSite))
    async def post(self, body: Renewal | None) -> Answer[SessionTokens]:
        """Stay signed in: trade a refresh token, or the cookie's, for the next. One used twice ends its session."""
        if body is not None and body.refresh_token is not None:
            return self.answer(await self.uses.sessions.refresh(body.refresh_token), in_cookies=False)
        cookie = self.get_cookie(self.serving.sessions.refresh_cookie)
        if cookie is None:
            raise Unauthenticated("Send a refresh token")
        self.check_origin()
        return self.answer(await self.uses.sessions.refresh(cookie), in_cookies=True)


class CurrentSession(BrowserEndpoint):
    """The session of who asks. Its end is open to everybody who holds any of its tokens, whatever their scopes."""

    @operation("signOut", scope=None, problems=(Unauthenticated, CrossSite))
    async def delete(self) -> Answer[None]:
        """Sign out."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        names = self.serving.sessions
        if scheme.lower() == "bearer":
            await self._end(token.strip())
            return Answer(None)
        refresh, access = self.get_cookie(names.refresh_cookie), self.get_cookie(names.access_cookie)
        if refresh is None and access is None:
            raise Unauthenticated(headers={"WWW-Authenticate": "Bearer"})
        self.check_origin()
        if refresh is not None:
            await self.uses.sessions.end_by_token(refresh)
        elif access is not None:
            await self._end(access)
        return self.signed_out()

    async def _end(self, access_token: str) -> None:
        caller = await self.serving.verifier.verify(access_token)
        await self.uses.sessions.end_own(caller.sub, caller.session)


class OtherSessions(BrowserEndpoint):
    """All sessions of who asks, but the one that asks."""

    @operation("endOtherSessions", scope="account")
    async def delete(self) -> None:
        """Sign out everywhere else. What apps were let do is ended at `/oauth/grants`."""
        await self.uses.sessions.end_others(self.caller.sub, self.caller.session)


class OneSession(BrowserEndpoint):
    """One session of who asks."""

    @operation("endSession", scope="account", problems=(NotFound,))
    async def delete(self, session_id: str) -> Answer[None]:
        """End a session, wherever it is. It is not renewed any more; an access token that is out ends within five minutes."""
        await self.uses.sessions.end(self.caller.sub, session_id)
        return self.signed_out() if session_id == self.caller.session else Answer(None)


ROUTES = (
    Route("/api/v1/sessions", Sessions),
    Route("/api/v1/sessions/refresh", Refresh),
    Route("/api/v1/sessions/current", CurrentSession),
    Route("/api/v1/sessions/others", OtherSessions),
    Route("/api/v1/sessions/{session_id}", OneSession),
)
