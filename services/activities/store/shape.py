"""The collections of this service: their indexes, and the schemas that their documents keep to."""

from __future__ import annotations

from services.activities.domain.roll_ups import PERIODS
from services.activities.domain.sports import SPORTS
from services.chassis.mongo import ASCENDING, DESCENDING, CollectionSpec, IndexSpec

ACTIVITIES = "activities"
STREAMS = "streams"
ROLL_UPS = "roll_ups"
RECORDS = "records"
CATALOGUE = "catalogue"
OWNERS = "owners"
REBUILDS = "rebuilds"
UNCLAIMED = "unclaimed_originals"
GEAR = "gear"
SHARES = "shares"
ZONES = "privacy_zones"
IMPORTS = "imports"
STRAVA_RUNS = "strava_runs"
ARCHIVES = "archives"  # a GridFS bucket
UNCLAIMED_ARCHIVES = "unclaimed_archives"
ORIGINALS = "originals"  # a GridFS bucket
BUCKETS = "buckets"

_AMOUNT = {"bsonType": ["double", "int", "long"], "minimum": 0}
_OPTIONAL_AMOUNT = {"bsonType": ["double", "int", "long", "null"]}
_WHOLE = {"bsonType": ["int", "long"]}
_TEXT = {"bsonType": "string"}
_DAY = {"bsonType": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}

_ACTIVITY = {
    "bsonType": "object",
    "required": [
        "_id",
        "owner",
        "version",
        "sport",
        "title",
        "started_at",
        "timezone",
        "local_date",
        "distance_m",
        "elapsed_s",
        "moving_s",
        "source",
        "session",
        "visibility",
        "created_at",
        "updated_at",
    ],
    "properties": {
        "_id": _TEXT,
        "owner": _TEXT,
        "version": {**_WHOLE, "minimum": 1},
        "sport": {"enum": list(SPORTS)},
        "title": {"bsonType": "string", "minLength": 1, "maxLength": 200},
        "started_at": {"bsonType": "date"},
        "timezone": _TEXT,
        "local_date": _DAY,
        "distance_m": _AMOUNT,
        "elapsed_s": _AMOUNT,
        "moving_s": _AMOUNT,
        "ascent_m": _OPTIONAL_AMOUNT,
        "source": {
            "bsonType": "object",
            "required": ["kind"],
            "properties": {"kind": {"enum": ["file", "strava", "manual"]}},
        },
        "session": _WHOLE,
        "visibility": {"enum": ["private", "public"]},
        "created_at": {"bsonType": "date"},
        "updated_at": {"bsonType": "date"},
    },
}
_ROLL_UP = {
    "bsonType": "object",
    "required": ["_id", "owner", "period", "span", "buckets"],
    "properties": {"period": {"enum": list(PERIODS)}, "span": _DAY, "buckets": {"bsonType": "binData"}},
}

_STATES = ["waiting", "running", "done", "stopped", "failed"]


def _bucket(name: str) -> tuple[CollectionSpec, CollectionSpec]:
    """A bucket's two collections: GridFS makes them itself, with these indexes, where they are missing."""
    return (
        CollectionSpec(
            f"{name}.files",
            indexes=(
                IndexSpec((("filename", ASCENDING), ("uploadDate", ASCENDING)), name="filename_1_uploadDate_1"),
                IndexSpec((("metadata.owner", ASCENDING),), name="by_owner"),
            ),
        ),
        CollectionSpec(
            f"{name}.chunks",
            indexes=(IndexSpec((("files_id", ASCENDING), ("n", ASCENDING)), name="files_id_1_n_1", unique=True),),
        ),
    )


def _notes(name: str) -> CollectionSpec:
    """Files of a bucket that nothing refers to (yet, or any more)."""
    by_age, by_owner = (
        IndexSpec(((key, ASCENDING),), name=name) for key, name in (("since", "by_age"), ("owner", "by_owner"))
    )
    return CollectionSpec(name, indexes=(by_age, by_owner))


COLLECTIONS = (
    CollectionSpec(
        ACTIVITIES,
        indexes=(
            IndexSpec((("owner", ASCENDING), ("started_at", DESCENDING), ("_id", DESCENDING)), name="by_start"),
            IndexSpec(
                (("owner", ASCENDING), ("sport", ASCENDING), ("started_at", DESCENDING), ("_id", DESCENDING)),
                name="by_sport",
            ),
            IndexSpec((("owner", ASCENDING), ("distance_m", DESCENDING), ("_id", DESCENDING)), name="by_distance"),
            IndexSpec((("owner", ASCENDING), ("elapsed_s", DESCENDING), ("_id", DESCENDING)), name="by_time"),
            IndexSpec(
                (("owner", ASCENDING), ("sport", ASCENDING), ("distance_m", DESCENDING), ("_id", DESCENDING)),
                name="by_sport_and_distance",
            ),
            IndexSpec(
                (("owner", ASCENDING), ("sport", ASCENDING), ("elapsed_s", DESCENDING), ("_id", DESCENDING)),
                name="by_sport_and_time",
            ),
            IndexSpec(
                (("owner", ASCENDING), ("source.sha256", ASCENDING), ("session", ASCENDING)),
                name="once",
                unique=True,
                partial={"source.sha256": {"$type": "string"}},
            ),
            IndexSpec((("original", ASCENDING),), name="by_original", sparse=True),
            IndexSpec((("gear_id", ASCENDING),), name="by_gear", partial={"gear_id": {"$type": "string"}}),
        ),
        schema=_ACTIVITY,
    ),
    CollectionSpec(
        STREAMS,
        indexes=(IndexSpec((("owner", ASCENDING),), name="by_owner"),),
        schema={
            "bsonType": "object",
            "required": ["_id", "owner", "points", "columns", "laps", "splits", "best_efforts"],
            "properties": {"points": _WHOLE, "columns": {"bsonType": "binData"}},
        },
    ),
    CollectionSpec(
        ROLL_UPS,
        indexes=(IndexSpec((("owner", ASCENDING), ("period", ASCENDING), ("span", ASCENDING)), name="by_span"),),
        schema=_ROLL_UP,
    ),
    # one document a runner and month: what lists choose by, where no index helps
    CollectionSpec(CATALOGUE, indexes=(IndexSpec((("owner", ASCENDING),), name="by_owner"),)),
    # one document a runner: the best efforts over all runs
    CollectionSpec(RECORDS),
    # one document, while a rebuild is not at its end
    CollectionSpec(REBUILDS),
    # one document a runner, written by every change of the runner's activities: two changes at once conflict here
    CollectionSpec(OWNERS),
    CollectionSpec(
        GEAR,
        indexes=(IndexSpec((("owner", ASCENDING),), name="by_owner"),),
        schema={
            "bsonType": "object",
            "required": ["_id", "owner", "version", "kind", "name", "distance_mm", "activities", "default_for"],
            "properties": {"distance_mm": _WHOLE, "activities": _WHOLE, "default_for": {"bsonType": "array"}},
        },
    ),
    CollectionSpec(
        SHARES,
        indexes=(
            IndexSpec((("activity", ASCENDING),), name="by_activity", unique=True),
            IndexSpec((("owner", ASCENDING),), name="by_owner"),
        ),
    ),
    CollectionSpec(ZONES, indexes=(IndexSpec((("owner", ASCENDING),), name="by_owner"),)),
    # one document a run of Strava's: the activity that it is, null where its runner removed that
    CollectionSpec(
        STRAVA_RUNS,
        indexes=(
            IndexSpec((("owner", ASCENDING),), name="by_owner"),
            IndexSpec((("activity", ASCENDING),), name="by_activity"),
        ),
    ),
    CollectionSpec(
        IMPORTS,
        indexes=(
            IndexSpec((("owner", ASCENDING), ("created_at", DESCENDING)), name="by_owner"),
            IndexSpec((("state", ASCENDING), ("updated_at", ASCENDING)), name="by_state"),
            IndexSpec((("expires_at", ASCENDING),), name="expiry", expire_after_s=0),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "owner", "version", "state", "kind", "total", "done", "failed", "archive"],
            "properties": {
                "state": {"enum": _STATES},
                "total": _WHOLE,
                "done": _WHOLE,
                "failed": {"bsonType": "array"},
            },
        },
    ),
    # one document a bucket that originals were ever kept in
    CollectionSpec(BUCKETS),
    _notes(UNCLAIMED),
    _notes(UNCLAIMED_ARCHIVES),
    *_bucket(ORIGINALS),
    *_bucket(ARCHIVES),
)
