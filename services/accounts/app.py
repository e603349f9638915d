"""Accounts, put together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from services.accounts import events, store
from services.accounts.blocked_passwords import read_blocked_passwords
from services.accounts.clients.owners import Owners
from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.devices import Devices
from services.accounts.domain.passwords import PasswordRules
from services.accounts.handlers import ROUTES
from services.accounts.hashing import Hashing
from services.accounts.people import AccountsOfPeople
from services.accounts.reminders import Reminders, Work
from services.accounts.settings import Settings
from services.accounts.store.accounts import Accounts
from services.accounts.store.attempts import Attempts
from services.accounts.store.deletions import Deletions
from services.accounts.store.export_files import ExportFiles
from services.accounts.store.exports import Exports
from services.accounts.store.finder import Finder
from services.accounts.store.known_devices import KnownDevices
from services.accounts.store.migrations import MIGRATIONS
from services.accounts.store.second_factors import SecondFactors
from services.accounts.store.trail import Trail
from services.accounts.usecases import UseCases
from services.accounts.usecases.activate import Activate
from services.accounts.usecases.administer import Administer
from services.accounts.usecases.back_off import BackOff
from services.accounts.usecases.change_email import AskForEmailChange, ConfirmEmail
from services.accounts.usecases.confirm_password import ConfirmPassword
from services.accounts.usecases.deletions import ReadDeletion, RequestDeletion, Seal
from services.accounts.usecases.erase_person import ErasePerson
from services.accounts.usecases.exports import ReadExport, RequestExport
from services.accounts.usecases.mail_link import Mailing, MailLink, OrderLink, Wanted
from services.accounts.usecases.mailing_links import MailingLinks
from services.accounts.usecases.make_export import MakeExport
from services.accounts.usecases.meet_device import MeetDevice
from services.accounts.usecases.own_account import ChangeProfile, ReadAccount
from services.accounts.usecases.record_act import RecordAct
from services.accounts.usecases.register import Register
from services.accounts.usecases.remove_unconfirmed import RemoveUnconfirmed
from services.accounts.usecases.second_factor import FactorVault, KeepSecondFactor, ProveSecondFactor
from services.accounts.usecases.sessions import Sessions
from services.accounts.usecases.set_password import ChangePassword, ResetPassword
from services.accounts.usecases.settle_sessions import SettleSessions
from services.accounts.usecases.sign_in import SignIn
from services.accounts.usecases.unlock import MailUnlock, Unlock
from services.chassis.audit import Auditor
from services.chassis.identity import Peer
from services.chassis.service import Built, Chassis, Service


async def build(chassis: Chassis, settings: Settings) -> Built:
    """Wire accounts."""
    clock, log = chassis.clock, chassis.log
    accounts, attempts = Accounts(chassis.database, chassis.bus.outbox), Attempts(chassis.database)
    hashing = Hashing(threads=settings.hashing_threads)
    rules = PasswordRules(settings.password_shortest, read_blocked_passwords())
    hash_name = partial(chassis.secrets.keyed_hash, "accounts.attempts")
    tokendealer = Tokendealer(Peer.of("tokendealer", chassis.process, chassis.http, chassis.identity))
    owners = Owners({name: Peer.of(name, chassis.process, chassis.http, chassis.identity) for name in settings.owners})
    exports = Exports(chassis.database, chassis.bus.outbox, ExportFiles(chassis.database))
    deletions = Deletions(chassis.database, chassis.bus.outbox, accounts, chassis.tombstones)
    seal = Seal(chassis.secrets)
    mailing = MailingLinks(attempts, settings.limits, hash_name, settings.activation_hours)
    order_link = OrderLink(accounts, chassis.secrets)
    links = {
        Wanted.ACTIVATION: Mailing(mailing.activation, lambda account: not account.activated),
        Wanted.PASSWORD_RESET: Mailing(mailing.password_reset),
        Wanted.UNLOCK: Mailing(mailing.unlock, lambda account: account.activated, counted_as="unlock"),
    }
    back_off = BackOff(attempts, settings.limits, hash_name, clock, MailUnlock(order_link, log))
    confirm_password = ConfirmPassword(accounts, hashing, back_off)
    vault = FactorVault(SecondFactors(chassis.database, chassis.bus.outbox), chassis.secrets)
    prove = ProveSecondFactor(vault, clock, chassis.metrics, log)
    devices = await asyncio.to_thread(Devices)
    known_devices = KnownDevices(chassis.database, chassis.bus.outbox)
    hash_device = partial(chassis.secrets.keyed_hash, "accounts.device")
    meet_device = MeetDevice(known_devices, devices, hash_device, clock)
    auditor = Auditor("accounts", chassis.secrets, clock)
    trail = Trail(chassis.database, auditor, timedelta(days=settings.audit_days), clock)
    record_act = RecordAct(trail, log)
    finder, settle_sessions = Finder(chassis.database), SettleSessions(accounts, tokendealer, clock)
    uses = UseCases(
        register=Register(accounts, rules, hashing, mailing, clock, chassis.metrics, log),
        activate=Activate(accounts, clock),
        order_link=order_link,
        sign_in=SignIn(accounts, hashing, back_off, prove, meet_device, tokendealer, clock, log),
        sessions=Sessions(tokendealer, accounts, devices, clock),
        second_factor=KeepSecondFactor(vault, accounts, confirm_password, tokendealer, clock, log),
        reset_password=ResetPassword(accounts, rules, hashing, tokendealer, back_off, clock, log),
        change_password=ChangePassword(accounts, confirm_password, rules, hashing, tokendealer, clock, log),
        ask_for_email_change=AskForEmailChange(accounts, confirm_password, mailing, clock),
        confirm_email=ConfirmEmail(accounts, mailing, clock, log),
        unlock=Unlock(accounts, back_off, clock),
        read_account=ReadAccount(accounts),
        change_profile=ChangeProfile(accounts, clock),
        administer=Administer(accounts, finder, trail, auditor, record_act, settle_sessions, clock),
        request_export=RequestExport(exports, attempts, hash_name, settings.exports_a_day, clock, log),
        read_export=ReadExport(exports, clock),
        request_deletion=RequestDeletion(deletions, confirm_password, owners, seal, clock, log),
        read_deletion=ReadDeletion(deletions, owners),
    )
    await events.listen(chassis.bus, settle_sessions, uses.sessions.end_others)
    await events.listen_to_acts(chassis.bus, record_act)
    await events.mail_links(chassis.bus, MailLink(accounts, mailing, chassis.secrets, links, clock))
    make_export = MakeExport(
        exports, accounts, owners, timedelta(days=settings.export_kept_days), clock, log, chassis.metrics
    )
    sweep_after = timedelta(seconds=settings.deletion_sweep_s)
    erase_person = ErasePerson(deletions, owners, seal, sweep_after, clock, log, chassis.metrics)
    remove_unconfirmed = RemoveUnconfirmed(
        accounts, deletions, owners, seal, timedelta(days=settings.unconfirmed_days), clock, log
    )
    works = {
        "accounts.deletions": Work(deletions.leases, erase_person, at_once=4),
        "accounts.exports": Work(exports.leases, make_export, at_once=2),
    }
    reminders = Reminders(works, chassis.bus, clock=clock, log=log)
    chassis.database.on_commit(reminders.wake)
    await reminders.listen()
    return Built(
        uses=uses,
        jobs=(reminders.run, erase_person.measure, lambda: exports.sweep_for_ever(log), remove_unconfirmed.forever),
        close=hashing.close,
        people=AccountsOfPeople(accounts, vault.factors, known_devices, exports),
    )


SERVICE = Service(
    name="accounts",
    summary="People, and how they sign in",
    prefixes=("/api/v1/accounts", "/api/v1/sessions", "/api/v1/admin/accounts", "/api/v1/admin/audit"),
    routes=ROUTES,
    settings=Settings,
    collections=store.COLLECTIONS,
    migrations=MIGRATIONS,
    build=build,
    people=AccountsOfPeople,
)
