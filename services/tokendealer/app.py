"""The tokendealer, put together."""

from __future__ import annotations

from services.chassis.service import Built, Chassis, Service
from services.tokendealer import store
from services.tokendealer.domain.families import OWN_CLIENT
from services.tokendealer.handlers import clients, families, metadata, oauth
from services.tokendealer.keyring import Keyring
from services.tokendealer.minting import Mint
from services.tokendealer.people import HeldOfPeople
from services.tokendealer.settings import Settings
from services.tokendealer.store import AssertionStore, ClientStore, FamilyStore, KeyStore
from services.tokendealer.usecases import UseCases
from services.tokendealer.usecases.authenticate_client import AuthenticateClient
from services.tokendealer.usecases.end_families import EndFamilies
from services.tokendealer.usecases.grant_token import GrantToken
from services.tokendealer.usecases.inspect_token import InspectToken
from services.tokendealer.usecases.issue_tokens import IssueTokens
from services.tokendealer.usecases.keep_apps import KeepApps
from services.tokendealer.usecases.refresh_tokens import RefreshTokens

MAY_ISSUE = frozenset({"accounts"})


async def build(chassis: Chassis, settings: Settings) -> Built:
    """Wire the tokendealer."""
    issuer, clock = chassis.process.url, chassis.clock
    keyed_hash, lifetimes = chassis.secrets.keyed_hash, settings.lifetimes
    people, apps = FamilyStore(chassis.database), ClientStore(chassis.database)
    keyring = Keyring(KeyStore(chassis.database), chassis.secrets, clock, chassis.log)
    mint = Mint(keyring, issuer, lifetimes, clock, chassis.metrics)
    refresh = RefreshTokens(people, mint, lifetimes, keyed_hash, clock, chassis.metrics, chassis.log)
    keep_apps = KeepApps(apps, people, keyed_hash, clock, chassis.log)
    uses = UseCases(
        authenticate_client=AuthenticateClient(
            apps,
            AssertionStore(chassis.database),
            keyed_hash,
            audiences=[issuer, f"{issuer}/oauth/token"],
            clock=clock,
            metrics=chassis.metrics,
        ),
        grant_token=GrantToken(mint, refresh),
        issue_tokens=IssueTokens(people, chassis.tombstones, mint, lifetimes, keyed_hash, clock),
        refresh_tokens=refresh,
        inspect_token=InspectToken(keyring, people, issuer, keyed_hash, clock),
        end_families=EndFamilies(people, OWN_CLIENT, keyed_hash, clock),
        keep_apps=keep_apps,
        keyring=keyring,
        issuer=issuer,
        may_issue=MAY_ISSUE,
    )
    owned = HeldOfPeople(people, apps, keep_apps, clock)
    return Built(uses=uses, checks={"signing_key": keyring.check}, people=owned)


SERVICE = Service(
    name="tokendealer",
    summary="Tokens, clients and signing keys",
    prefixes=("/oauth", "/.well-known", clients.PATH),
    routes=(*metadata.ROUTES, *oauth.ROUTES, *clients.ROUTES),
    internal_routes=families.INTERNAL_ROUTES,
    settings=Settings,
    collections=store.COLLECTIONS,
    build=build,
)
