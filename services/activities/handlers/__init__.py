"""HTTP in and out, one module a resource."""

from services.activities.handlers import activities, along, gear, imports, sharing, stats, strava

ROUTES = (*activities.ROUTES, *along.ROUTES, *stats.ROUTES, *gear.ROUTES, *imports.ROUTES, *sharing.ROUTES)
INTERNAL_ROUTES = strava.INTERNAL_ROUTES
