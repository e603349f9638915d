"""What a file is, by its content and never by its name, and reading it."""

from __future__ import annotations

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.domain.strava import MAGIC as MAGIC_OF_STRAVA
from services.activities.formats.fit import read_fit
from services.activities.formats.fit_frames import is_fit
from services.activities.formats.gpx import read_gpx
from services.activities.formats.gunzip import MAGIC, gunzipped
from services.activities.formats.strava import read_strava
from services.activities.formats.tcx import read_tcx
from services.activities.formats.xml import local_name, root_of

_ZIP = b"PK\x03\x04"
_BEGINS_XML = (b"<", b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")


def read(content: bytes) -> list[Recording]:
    """The recordings in a file, at least one. Raises `NotAnActivity`, and nothing else, where there are none."""
    if content.startswith(MAGIC):
        content = gunzipped(content)
    if not content.strip(b"\0 \t\r\n"):
        raise NotAnActivity("This file is empty")
    if is_fit(content):
        return read_fit(content)
    if content.startswith(_ZIP):
        raise NotAnActivity("This is a ZIP archive; send the files in it one by one")
    if content.lstrip().startswith(_BEGINS_XML):
        return _read_xml(content)
    if content.startswith(MAGIC_OF_STRAVA):
        return read_strava(content)
    raise NotAnActivity("This is neither a FIT, nor a GPX, nor a TCX file")


def _read_xml(content: bytes) -> list[Recording]:
    root = root_of(content)
    match local_name(str(root.tag)):
        case "gpx":
            return read_gpx(root)
        case "TrainingCenterDatabase":
            return read_tcx(root)
        case name:
            raise NotAnActivity(f"The XML in this file is {name[:40]}, neither GPX nor TCX")
