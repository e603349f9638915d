"""What is to be done with an archive: which files to import in which order, and what is said about each.

The same archive always makes the same plan, so that whoever goes on with an import needs to know only how many files
are done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from msgspec import Struct

from services.activities.archives import garmin, strava, takeout
from services.activities.archives.takeout import TakenActivity
from services.activities.archives.zips import (
    MOST_EXPANSION_OF_ARCHIVE,
    Limits,
    check_total,
    is_of_interest,
    nested,
    opened,
    refusal,
    shown,
    swells,
    too_many,
    unpacked,
)
from services.activities.domain.imports import ArchiveKind
from services.activities.domain.labels import NOTHING_SAID, GearSaid, Labels
from services.activities.domain.privacy import NewZone
from services.activities.domain.problems import NotAnActivity, NotAnArchive
from services.chassis.holdings import MANIFEST

MISSING = "It is named in activities.csv, and not in the archive"
NO_FILE = "It was entered at Strava by hand, so there is no file of it: add it by hand here"


class Item(Struct, frozen=True):
    """A file to import. `reason` is why it is refused unread; `archive` is which of the opened archives it is in.

    `said` are the files of a takeout that tell of the activities in it; with `by_hand` they are all there is.
    """

    name: str
    archive: int
    info: ZipInfo
    reason: str | None = None
    labels: Labels | None = None
    said: tuple[ZipInfo, ...] = ()
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All of an archive, in order. Its methods unpack, and may take their time: they are for a thread."""

    kind: ArchiveKind
    items: Sequence[Item]
    gear: Mapping[str, GearSaid] = field(default_factory=dict)
    zones: Sequence[NewZone] = ()
    titles: Mapping[int, Labels] = field(default_factory=dict)
    removed: Sequence[str] = ()
    archives: Sequence[ZipFile] = ()

    def read(self, item: Item) -> tuple[bytes, tuple[TakenActivity, ...]]:
        """The bytes of a file, and what a takeout tells of it. Raises `NotAnActivity`."""
        archive = self.archives[item.archive]
        taken = [takeout.activity_in(unpacked(archive, info)) for info in item.said]
        if None in taken:
            raise NotAnActivity("What the takeout says of it can't be read")
        content = b"" if item.by_hand else unpacked(archive, item.info)
        return content, tuple(one for one in taken if one is not None)

    def labels(
        self, item: Item, taken: Sequence[TakenActivity], session: int, sessions: int, started_at: datetime
    ) -> Labels:
        """What is said about one of the sessions in a file, the one that began at this time."""
        match self.kind:
            case "takeout":
                one = next((one for one in taken if one.session == session), None)
                return self.labels_of(one) if one else Labels(left_out=True)
            case "garmin":
                return garmin.nearest(self.titles, started_at) or NOTHING_SAID
            case _:
                labels = item.labels or NOTHING_SAID
                return labels if sessions == 1 else strava.of_many_sports(labels)

    def labels_of(self, taken: TakenActivity) -> Labels:
        """What a takeout says about an activity."""
        return takeout.labels_of(taken, self.gear)

    def close(self) -> None:
        """Let go of the archives."""
        for archive in self.archives:
            archive.close()


def plan_of(file: BinaryIO, limits: Limits) -> Plan:
    """The plan for an archive. Raises `NotAnArchive` where it is none, holds nothing, or too much."""
    archive = opened(file, limits)
    check_total((info for info in archive.infolist() if refusal(info) is None), limits)  # before any is unpacked
    members = {info.filename: info for info in archive.infolist()}
    plan = _plan(archive, members, limits)
    if not plan.items:
        raise NotAnArchive("There are no files in this archive")
    check_total((item.info for item in plan.items if item.reason is None), limits)
    return plan


def _plan(archive: ZipFile, members: Mapping[str, ZipInfo], limits: Limits) -> Plan:
    if _is_takeout(archive, members):
        return _of_takeout(archive, members)
    inner = [info for name, info in members.items() if garmin.ARCHIVES.search(name)]
    if inner:
        return _of_garmin(archive, members, inner, limits)
    table = _shallowest(members, strava.TABLE)
    if table is not None:
        return _of_strava(archive, members, table)
    return Plan("files", _in_order(_items(0, archive.infolist())), archives=[archive])


def _of_takeout(archive: ZipFile, members: Mapping[str, ZipInfo]) -> Plan:
    zones = [
        zone
        for name, info in members.items()
        if name.startswith(takeout.ZONES)
        and refusal(info) is None
        and (zone := takeout.zone_in(_quietly(archive, info)))
    ]
    gear = dict(
        found
        for name, info in members.items()
        if name.startswith(takeout.GEAR)
        and refusal(info) is None
        and (found := takeout.gear_in(_quietly(archive, info)))
    )
    removed = members.get(takeout.REMOVED)
    told: dict[str | None, list[ZipInfo]] = {}
    for name, info in members.items():
        if name.startswith(takeout.ACTIVITIES) and refusal(info) is None:
            told.setdefault(takeout.original_of(_quietly(archive, info)), []).append(info)
    items = []
    for original, infos in told.items():
        if original is None:
            items += [Item(shown(info.filename), 0, info, said=(info,), by_hand=True) for info in infos]
        elif original in members:
            info = members[original]
            items.append(Item(shown(original), 0, info, refusal(info), said=tuple(infos)))
        else:
            missing = "The file it was read from is not in the archive"
            items += [Item(shown(info.filename), 0, info, missing) for info in infos]
    ids = takeout.removed_in(_quietly(archive, removed)) if removed and refusal(removed) is None else ()
    return Plan("takeout", _in_order(items), gear=gear, zones=zones, removed=ids, archives=[archive])


def _of_garmin(archive: ZipFile, members: Mapping[str, ZipInfo], inner: Sequence[ZipInfo], limits: Limits) -> Plan:
    check_total(inner, limits)
    archives = [archive]
    items: list[Item] = []
    for info in inner:
        if len(items) > limits.members:
            raise too_many(limits)
        try:
            archives.append(_nested(archive, info, limits))
        except NotAnArchive as problem:
            items.append(Item(shown(info.orig_filename), 0, info, problem.detail))
        else:
            items += _items(len(archives) - 1, archives[-1].infolist())
    if len(items) > limits.members:
        raise too_many(limits)
    titles: dict[int, Labels] = {}
    for name, info in members.items():
        if garmin.TITLES.search(name) and refusal(info) is None:
            titles |= garmin.labels_in(_quietly(archive, info))
    return Plan("garmin", _in_order(items), titles=titles, archives=archives)


def _of_strava(archive: ZipFile, members: Mapping[str, ZipInfo], table: ZipInfo) -> Plan:
    """Only what is in `activities/`: photos and the like are not ours to judge."""
    folder = table.filename.removesuffix(strava.TABLE)
    said = strava.read_table(_quietly(archive, table)) if refusal(table) is None else strava.Table()
    files = [info for name, info in members.items() if name.startswith(folder + strava.FOLDER)]
    items = [*_items(0, files, said.labels, folder)]
    items += [Item(shown(title), 0, table, NO_FILE) for title in said.without_file]
    items += [Item(shown(path), 0, table, MISSING) for path in said.labels if folder + path not in members]
    return Plan("strava", _in_order(items), archives=[archive])


def _items(
    archive: int, infos: Iterable[ZipInfo], labels: Mapping[str, Labels] | None = None, folder: str = ""
) -> Iterator[Item]:
    for info in infos:
        if is_of_interest(info):
            said = labels.get(info.filename.removeprefix(folder)) if labels else None
            yield Item(shown(info.orig_filename), archive, info, refusal(info), said)


def _in_order(items: Iterable[Item]) -> list[Item]:
    """As they lie in the archives, so that each part is fetched once."""
    return sorted(items, key=lambda item: (item.archive, item.info.header_offset, item.name))


def _nested(archive: ZipFile, info: ZipInfo, limits: Limits) -> ZipFile:
    """One of Garmin's archives in the archive, judged as any member, but that it may be large, and an archive."""
    as_a_file = ZipInfo("inner")
    as_a_file.flag_bits, as_a_file.compress_type = info.flag_bits, info.compress_type
    as_a_file.external_attr, as_a_file.create_system = info.external_attr, info.create_system
    reason = refusal(as_a_file)
    if info.file_size > limits.expanded_bytes:
        reason = "It is larger than an archive may be"
    elif swells(info, MOST_EXPANSION_OF_ARCHIVE):
        reason = f"It would expand to over {MOST_EXPANSION_OF_ARCHIVE} times its size"
    if reason is not None:
        raise NotAnArchive(reason)
    return nested(archive, info, limits)


def _is_takeout(archive: ZipFile, members: Mapping[str, ZipInfo]) -> bool:
    manifest = members.get(MANIFEST)
    return manifest is not None and refusal(manifest) is None and takeout.is_manifest(_quietly(archive, manifest))


def _shallowest(members: Mapping[str, ZipInfo], name: str) -> ZipInfo | None:
    """The member of this name that is at the root, or in the one folder that everything may be in."""
    found = [path for path in members if path == name or (path.endswith(f"/{name}") and path.count("/") == 1)]
    return members[min(found, key=len)] if found else None


def _quietly(archive: ZipFile, info: ZipInfo) -> bytes:
    """What a file beside the activities says; nothing where it can't be read: the activities don't need it."""
    try:
        return unpacked(archive, info)
    except NotAnActivity:
        return b""
