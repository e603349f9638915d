"""What a runner can do with activities, one class an intention."""

from __future__ import annotations

from dataclasses import dataclass

from services.activities.usecases.add_by_hand import AddByHand
from services.activities.usecases.bring_archive import BringArchive
from services.activities.usecases.correct_activity import CorrectActivity
from services.activities.usecases.export import GpxOf, ListAsCsv
from services.activities.usecases.follow_import import FollowImports
from services.activities.usecases.import_file import ImportFile
from services.activities.usecases.keep_gear import KeepGear
from services.activities.usecases.keep_zones import KeepZones
from services.activities.usecases.look_along import BestEffortsOf, LapsOf, OriginalOf, SplitsOf, StreamsOf, ZonesOf
from services.activities.usecases.look_up import ListActivities, ReadActivity
from services.activities.usecases.remove_activity import RemoveActivity
from services.activities.usecases.share import SharedActivities, ShareLinkOf
from services.activities.usecases.sum_up import FitnessOf, RecordsOf, SumUp
from services.activities.usecases.take_from_strava import TakeFromStrava


@dataclass(frozen=True, slots=True)
class UseCases:
    """All of them, as handlers see them."""

    import_file: ImportFile
    add_by_hand: AddByHand
    list_activities: ListActivities
    read_activity: ReadActivity
    correct_activity: CorrectActivity
    remove_activity: RemoveActivity
    streams_of: StreamsOf
    laps_of: LapsOf
    splits_of: SplitsOf
    best_efforts_of: BestEffortsOf
    zones_of: ZonesOf
    original_of: OriginalOf
    sum_up: SumUp
    records_of: RecordsOf
    fitness_of: FitnessOf
    gear: KeepGear
    zones: KeepZones
    share_link_of: ShareLinkOf
    shared: SharedActivities
    gpx_of: GpxOf
    list_as_csv: ListAsCsv
    bring_archive: BringArchive
    imports: FollowImports
    take_from_strava: TakeFromStrava
