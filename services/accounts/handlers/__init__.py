"""The HTTP side of accounts and sessions, one module a resource."""

from __future__ import annotations

from services.accounts.handlers import (
    accounts,
    admin,
    credentials,
    deletions,
    exports,
    own_account,
    password_resets,
    second_factor,
    sessions,
)

ROUTES = (
    *accounts.ROUTES,
    *admin.ROUTES,
    *own_account.ROUTES,
    *credentials.ROUTES,
    *exports.ROUTES,
    *deletions.ROUTES,
    *password_resets.ROUTES,
    *second_factor.ROUTES,
    *sessions.ROUTES,
)
