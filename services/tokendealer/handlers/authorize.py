"""The authorization endpoint: an app sends a person here, who says yes or no, and is sent back (RFC 6749, 3.1)."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta, Struct

from services.chassis.answers import Answer, File
from services.chassis.endpoint import Route
from services.chassis.operations import KIB, operation
from services.chassis.sessions import CrossSite
from services.tokendealer.domain.authorizations import METHOD, AuthorizationRequest
from services.tokendealer.domain.errors import AuthorizationFault, QuestionOver, UnknownApp
from services.tokendealer.handlers.browser import BrowserPage
from services.tokendealer.usecases.authorize import Wish

PATH = "/oauth/authorize"
FORM_LIMIT = 64 * KIB

# All of them together fit into an address, whatever letters they are of.
Short = Annotated[str, Meta(max_length=128)]
Longer = Annotated[str, Meta(max_length=512)]
State = Annotated[str, Meta(max_length=2_048)]


class AuthorizationQuery(Struct, frozen=True):
    """What an app asks for; what else comes is ignored, as RFC 6749, 3.1 says."""

    client_id: Short = ""
    redirect_uri: Longer = ""
    response_type: Short = ""
    scope: Longer = ""
    state: State = ""
    code_challenge: Short = ""
    code_challenge_method: Short = ""

    @property
    def wish(self) -> Wish:
        """The same, as a use case takes it."""
        return Wish(
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            response_type=self.response_type,
            scope=self.scope,
            state=self.state,
            challenge=self.code_challenge,
            method=self.code_challenge_method,
        )


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    """What the person says to what they were asked."""

    question: Annotated[str, Meta(max_length=32 * KIB)]
    answer: Literal["allow", "deny"]


class Authorization(BrowserPage):
    """The consent page."""

    @operation("askConsent", scope=None, redirects=True, problems=(UnknownApp,))
    async def get(self, query: AuthorizationQuery) -> Answer[File]:
        """Ask the person at the browser whether an app may act for them.

        Not signed in, they are sent to the front page first. Where they allowed all of it before, they are sent on at once.
        """
        uses, wish = self.uses.authorize, query.wish
        client = await uses.app(wish.client_id, wish.redirect_uri)
        person = await self.person()
        if person is None:
            return self.sign_in_first(self.request.uri or PATH)
        try:
            asking = await uses.ask(client, wish, person)
        except AuthorizationFault as fault:
            return self.go(uses.refuse(wish.redirect_uri, wish.state or None, fault))
        if asking.is_settled:
            return self.go(await uses.allow_again(asking, person))
        return self.show(self.uses.pages.consent(asking, uses.seal(asking.request, person), self.language))

    @operation(
        "answerConsent",
        scope=None,
        status=303,
        body_limit=FORM_LIMIT,
        problems=(CrossSite, QuestionOver, UnknownApp),
    )
    async def post(self, form: Decision) -> Answer[File]:
        """Take the person's answer, and send them back to the app."""
        self.check_origin()
        uses = self.uses.authorize
        question = uses.open(form.question)
        person = await self.person()
        if person is None:
            return self.sign_in_first(asked_again(question.request))
        if (person.sub, person.session) != (question.sub, question.session):
            return self.go(asked_again(question.request))
        if form.answer == "deny":
            return self.go(await uses.deny(question.request))
        return self.go(await uses.allow(question.request, person))


def asked_again(request: AuthorizationRequest) -> str:
    """The address at which the same is asked again."""
    query = {
        "response_type": "code",
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "scope": " ".join(request.scopes),
        "code_challenge": request.challenge,
        "code_challenge_method": METHOD,
    }
    return f"{PATH}?{urlencode(query if request.state is None else {**query, 'state': request.state})}"


ROUTES = (Route(PATH, Authorization),)
