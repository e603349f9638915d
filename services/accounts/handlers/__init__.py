"""The HTTP side of accounts and sessions, one module a resource."""

from __future__ import annotations

from services.accounts.handlers import accounts, own_account, sessions

ROUTES = (*accounts.ROUTES, *own_account.ROUTES, *sessions.ROUTES)
