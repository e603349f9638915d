"""What the tokendealer does for those who ask."""

from __future__ import annotations

from dataclasses import dataclass

from services.tokendealer.keyring import Keyring
from services.tokendealer.pages import Pages
from services.tokendealer.usecases.authenticate_client import AuthenticateClient
from services.tokendealer.usecases.authorize import Authorize
from services.tokendealer.usecases.end_families import EndFamilies
from services.tokendealer.usecases.grant_token import GrantToken
from services.tokendealer.usecases.inspect_token import InspectToken
from services.tokendealer.usecases.issue_tokens import IssueTokens
from services.tokendealer.usecases.keep_apps import KeepApps
from services.tokendealer.usecases.keep_consents import KeepConsents
from services.tokendealer.usecases.refresh_tokens import RefreshTokens
from services.tokendealer.usecases.settle_person import SettlePerson


@dataclass(frozen=True, slots=True)
class UseCases:
    """All of them."""

    authenticate_client: AuthenticateClient
    grant_token: GrantToken
    issue_tokens: IssueTokens
    refresh_tokens: RefreshTokens
    inspect_token: InspectToken
    end_families: EndFamilies
    settle_person: SettlePerson
    keep_apps: KeepApps
    keep_consents: KeepConsents
    authorize: Authorize
    pages: Pages
    keyring: Keyring
    issuer: str
    may_issue: frozenset[str]
