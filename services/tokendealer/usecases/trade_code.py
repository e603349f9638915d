"""Trade an authorization code for tokens, once (RFC 6749, 4.1.3; RFC 7636, 4.6).

Whoever presents a code again may have stolen it, or may be the one it was stolen from: then all that it was traded for
ends (RFC 6749, 4.1.2). The family gets its id before it is there, so that this holds for two that come at once, too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import Gone
from services.tokendealer.domain.authorizations import Code, answers
from services.tokendealer.domain.clients import Client
from services.tokendealer.domain.errors import InvalidGrant, InvalidRequest
from services.tokendealer.store import FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases.authorize import CODE_PURPOSE
from services.tokendealer.usecases.issue_tokens import ID_BYTES, IssueTokens, Order, SignIn


@dataclass(frozen=True, slots=True)
class TradeCode:
    """Raises `InvalidGrant` for a code that is not good, or not this client's, or not from this request."""

    codes: CodeStore
    consents: ConsentStore
    families: FamilyStore
    issue_tokens: IssueTokens
    keyed_hash: Callable[[str, str], str]
    clock: Callable[[], datetime]
    metrics: Metrics
    log: Logger

    async def __call__(self, client: Client, text: str, redirect_uri: str, verifier: str) -> SignIn:
        """The tokens."""
        if not (text and redirect_uri and verifier):
            raise InvalidRequest("Send the code, the redirect_uri and the code_verifier")
        code = await self.codes.find(self.keyed_hash(CODE_PURPOSE, text))
        if code is None or code.client_id != client.id:
            raise self._refused("invalid_code")
        family = secrets.token_urlsafe(ID_BYTES)
        if not await self.codes.trade(code.id, family, self.clock()):
            await self._look_for_replay(code)
            raise self._refused("invalid_code")
        # A code is good for one attempt: it is used up now, whatever the rest of the request says.
        if code.redirect_uri != redirect_uri or not answers(verifier, code.challenge):
            raise self._refused("invalid_code")
        return await self._begun(client, code, family)

    async def _begun(self, client: Client, code: Code, family: str) -> SignIn:
        order = Order(code.sub, client.id, code.scopes, client.name)
        try:
            sign_in = await self.issue_tokens(order, family=family, grant="authorization_code")
        except Gone as gone:
            raise InvalidGrant from gone
        # It may have been replayed, or its person may have changed their mind, while the family was being made.
        now, consent = await self.codes.find(code.id), await self.consents.find(code.sub, client.id)
        if now is None or now.replayed or consent is None or not set(code.scopes) <= set(consent.scopes):
            await self.families.end(family)
            raise self._refused("invalid_code")
        return sign_in

    async def _look_for_replay(self, code: Code) -> None:
        """End what a code was traded for, where it was; one that has just expired is none's fault."""
        marked = await self.codes.mark_replayed(code.id)
        if marked is not None and marked.family is not None:
            await self.families.end(marked.family)
            self.metrics.incr("tokens.refused", reason="replayed")
            self.log.error("code.replayed", client_id=code.client_id)

    def _refused(self, reason: str) -> InvalidGrant:
        self.metrics.incr("tokens.refused", reason=reason)
        return InvalidGrant()
