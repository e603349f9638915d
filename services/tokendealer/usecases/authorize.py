"""Ask a person whether an app may act for them, and answer the app (RFC 6749, 4.1; RFC 7636; RFC 9207).

Nobody is sent to an app's address before they have signed in, and only to an address that the app registered (RFC 9700,
4.11). A person is asked again only for what is new, or where nobody can tell that it is the same app: a public one that
is on their device (RFC 8252, 8.6).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import Struct

from services.chassis.metrics import Metrics
from services.chassis.secrets import Secrets, WrongKey
from services.tokendealer.domain.authorizations import (
    ASKED_FOR,
    CHALLENGE,
    CODE_FOR,
    CODE_REMEMBERED_FOR,
    METHOD,
    Asking,
    AuthorizationRequest,
    Code,
    Question,
)
from services.tokendealer.domain.clients import Client, narrowed
from services.tokendealer.domain.errors import (
    AuthorizationFault,
    InvalidRequest,
    InvalidScope,
    QuestionOver,
    UnknownApp,
    UnsupportedResponseType,
    plain,
)
from services.tokendealer.domain.redirects import answered_at, is_registered
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore

CODE_BYTES = 32
CODE_PURPOSE, QUESTION_PURPOSE = "authorization-code", "consent"


class Wish(Struct, frozen=True):
    """What came with a request; nothing is known of it yet."""

    client_id: str
    redirect_uri: str
    response_type: str
    scope: str
    state: str
    challenge: str
    method: str


class Person(Struct, frozen=True):
    """Who is at the browser, what they may do, and by which sign-in."""

    sub: str
    scopes: frozenset[str]
    session: str


@dataclass(frozen=True, slots=True)
class Authorize:
    """Raises `UnknownApp` for what nobody may be sent back from, an `AuthorizationFault` for what the app is told."""

    clients: ClientStore
    consents: ConsentStore
    codes: CodeStore
    families: FamilyStore
    box: Secrets
    issuer: str
    clock: Callable[[], datetime]
    metrics: Metrics

    async def signed_in(self, sub: str, scopes: frozenset[str], session: str) -> Person | None:
        """The person of a sign-in that goes on. An access token outlives one by minutes: enough to let an app in for good.

        Whoever has not confirmed their address yet can let none in: what they may do ends with the day.
        """
        family = await self.families.find(session, self.clock())
        if family is None or family.sub != sub:
            return None
        return Person(sub, scopes if family.until is None else frozenset(), session)

    async def app(self, client_id: str, redirect_uri: str) -> Client:
        """The app, where the address is one of its own. Raises `UnknownApp`."""
        client = await self.clients.find(client_id)
        if client is None or "authorization_code" not in client.grants:
            raise UnknownApp
        if not is_registered(redirect_uri, client.redirect_uris, any_port=client.public):
            raise UnknownApp("This app did not register the address that it wants the answer at")
        return client

    async def ask(self, client: Client, wish: Wish, person: Person) -> Asking:
        """The request, found right. Raises an `AuthorizationFault`."""
        if wish.response_type != "code":
            raise UnsupportedResponseType if wish.response_type else InvalidRequest("Send the response_type")
        if wish.method != METHOD or not CHALLENGE.fullmatch(wish.challenge):
            raise InvalidRequest("Send a code_challenge with the code_challenge_method S256")
        scopes = tuple(scope for scope in narrowed(client.scopes, wish.scope) if scope in person.scopes)
        if not scopes:
            raise InvalidScope("This person can give none of these scopes")
        request = AuthorizationRequest(client.id, wish.redirect_uri, scopes, wish.challenge, wish.state or None)
        consent = await self.consents.find(person.sub, client.id)
        return Asking(client, request, consent.scopes if consent else ())

    def seal(self, request: AuthorizationRequest, person: Person) -> str:
        """The request, to travel in the form that this person answers with."""
        until = (self.clock() + ASKED_FOR).timestamp()
        question = msgspec.msgpack.encode(Question(request, person.sub, person.session, until))
        return base64.urlsafe_b64encode(self.box.seal(question, bound_to=QUESTION_PURPOSE)).decode()

    def open(self, sealed: str) -> Question:
        """What was asked. Raises `QuestionOver` for what we did not ask, or too long ago."""
        try:
            opened = self.box.open(base64.urlsafe_b64decode(sealed.encode()), bound_to=QUESTION_PURPOSE)
            question = msgspec.msgpack.decode(opened, type=Question)
        except (binascii.Error, ValueError, WrongKey, msgspec.DecodeError) as failure:
            raise QuestionOver from failure
        if question.until < self.clock().timestamp():
            raise QuestionOver
        return question

    async def allow(self, request: AuthorizationRequest, person: Person) -> str:
        """Let the app in, as this person has just said; where to send them. Raises `UnknownApp`."""
        client = await self.app(request.client_id, request.redirect_uri)
        scopes = [scope for scope in request.scopes if scope in client.scopes and scope in person.scopes]
        if not scopes:
            return self.refuse(request.redirect_uri, request.state, InvalidScope())
        await self.consents.give(person.sub, client.id, scopes, self.clock())
        return await self._answer(msgspec.structs.replace(request, scopes=tuple(scopes)), person, "allowed")

    async def allow_again(self, asking: Asking, person: Person) -> str:
        """Let the app in as before; where to send the person."""
        return await self._answer(asking.request, person, "again")

    async def deny(self, request: AuthorizationRequest) -> str:
        """Don't let the app in; where to send the person. Raises `UnknownApp`."""
        await self.app(request.client_id, request.redirect_uri)
        self.metrics.incr("tokens.authorizations", outcome="denied")
        told = {"error": "access_denied", "error_description": "The person said no"}
        return self._told(request.redirect_uri, request.state, told)

    def refuse(self, redirect_uri: str, state: str | None, fault: AuthorizationFault) -> str:
        """Where to send a person whose app asked wrongly."""
        self.metrics.incr("tokens.authorizations", outcome="refused")
        told = {"error": fault.error, "error_description": plain(fault.detail)}
        return self._told(redirect_uri, state, told)

    async def _answer(self, request: AuthorizationRequest, person: Person, outcome: str) -> str:
        secret, now = secrets.token_urlsafe(CODE_BYTES), self.clock()
        code = Code(
            id=self.box.keyed_hash(CODE_PURPOSE, secret),
            client_id=request.client_id,
            sub=person.sub,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            scopes=request.scopes,
            created_at=now,
            expires_at=now + CODE_FOR,
            forgotten_at=now + CODE_REMEMBERED_FOR,
        )
        await self.codes.add(code)
        self.metrics.incr("tokens.authorizations", outcome=outcome)
        return self._told(request.redirect_uri, request.state, {"code": secret})

    def _told(self, redirect_uri: str, state: str | None, told: dict[str, str]) -> str:
        answer = {**told, **({} if state is None else {"state": state}), "iss": self.issuer}
        return answered_at(redirect_uri, answer)
