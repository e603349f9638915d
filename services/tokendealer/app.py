"""The tokendealer, put together."""

from __future__ import annotations

from services.chassis.audit import Acts, Auditor
from services.chassis.service import Built, Chassis, Service
from services.tokendealer import store
from services.tokendealer.handlers import authorize, clients, families, grants, metadata, oauth
from services.tokendealer.keyring import Keyring
from services.tokendealer.minting import Mint
from services.tokendealer.pages import Pages
from services.tokendealer.people import HeldOfPeople
from services.tokendealer.settings import Settings
from services.tokendealer.store import AssertionStore, ClientStore, FamilyStore, KeyStore, StandingStore, authorizations
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases import UseCases
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
from services.tokendealer.usecases.trade_code import TradeCode

MAY_ISSUE = frozenset({"accounts"})


async def build(chassis: Chassis, settings: Settings) -> Built:
    """Wire the tokendealer."""
    issuer, clock, metrics, log = chassis.process.url, chassis.clock, chassis.metrics, chassis.log
    keyed_hash, lifetimes = chassis.secrets.keyed_hash, settings.lifetimes
    apps, people = ClientStore(chassis.database), FamilyStore(chassis.database)
    codes, consents = CodeStore(chassis.database), ConsentStore(chassis.database)
    keyring = Keyring(KeyStore(chassis.database), chassis.secrets, clock, log)
    mint = Mint(keyring, issuer, lifetimes, clock, metrics)
    standings = StandingStore(chassis.database)
    issue = IssueTokens(people, standings, chassis.tombstones, mint, lifetimes, keyed_hash, clock)
    refresh = RefreshTokens(people, mint, lifetimes, keyed_hash, clock, metrics, log)
    trade = TradeCode(codes, consents, people, issue, keyed_hash, clock, metrics, log)
    acts, auditor = Acts(chassis.database, chassis.bus.outbox), Auditor("tokendealer", chassis.secrets, clock)
    keep_apps = KeepApps(apps, people, codes, consents, keyed_hash, acts, auditor, clock, log)
    keep_consents = KeepConsents(apps, consents, codes, people, clock, log)
    uses = UseCases(
        authenticate_client=AuthenticateClient(
            apps,
            AssertionStore(chassis.database),
            keyed_hash,
            audiences=[issuer, f"{issuer}/oauth/token"],
            clock=clock,
            metrics=metrics,
        ),
        grant_token=GrantToken(mint, refresh, trade),
        issue_tokens=issue,
        refresh_tokens=refresh,
        inspect_token=InspectToken(keyring, apps, people, issuer, keyed_hash, clock),
        end_families=EndFamilies(people, codes, keyed_hash, clock),
        settle_person=SettlePerson(standings, people, codes, consents, chassis.tombstones),
        keep_apps=keep_apps,
        keep_consents=keep_consents,
        authorize=Authorize(apps, consents, codes, people, chassis.secrets, issuer, clock, metrics),
        pages=Pages.read(lifetimes),
        keyring=keyring,
        issuer=issuer,
        may_issue=MAY_ISSUE,
    )
    held = HeldOfPeople(
        families=people,
        clients=apps,
        codes=codes,
        consents=consents,
        standings=standings,
        keep_apps=keep_apps,
        clock=clock,
    )
    return Built(uses=uses, checks={"signing_key": keyring.check}, people=held)


SERVICE = Service(
    name="tokendealer",
    summary="Tokens, clients and signing keys",
    prefixes=("/oauth", "/.well-known", clients.PATH),
    routes=(*metadata.ROUTES, *oauth.ROUTES, *authorize.ROUTES, *grants.ROUTES, *clients.ROUTES),
    internal_routes=families.INTERNAL_ROUTES,
    settings=Settings,
    collections=(*store.COLLECTIONS, *authorizations.COLLECTIONS),
    build=build,
    people=HeldOfPeople,
)
