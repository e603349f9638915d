"""What accounts keeps, and where: accounts with their links and second factors, and counters of attempts."""

from __future__ import annotations

from services.accounts.store import accounts, attempts, second_factors

COLLECTIONS = (*accounts.COLLECTIONS, *attempts.COLLECTIONS, *second_factors.COLLECTIONS)
