"""What accounts keeps, and where: accounts with the links that were mailed to them, and counters of attempts."""

from __future__ import annotations

from services.accounts.store import accounts, attempts

COLLECTIONS = (*accounts.COLLECTIONS, *attempts.COLLECTIONS)
