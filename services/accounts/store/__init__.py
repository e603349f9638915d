"""What accounts keeps, and where: accounts with links, second factors and devices; counters; the trail."""

from __future__ import annotations

from services.accounts.store import (
    accounts,
    attempts,
    deletions,
    export_files,
    exports,
    known_devices,
    links,
    second_factors,
    trail,
)

COLLECTIONS = (
    *accounts.COLLECTIONS,
    *links.COLLECTIONS,
    *attempts.COLLECTIONS,
    *known_devices.COLLECTIONS,
    *second_factors.COLLECTIONS,
    *exports.COLLECTIONS,
    *export_files.COLLECTIONS,
    *deletions.COLLECTIONS,
    *trail.COLLECTIONS,
)
