"""Everything that is done to a file in a worker, and what is handed back of it."""

from __future__ import annotations

import zstandard

from services.activities.domain.analysis import Analysis
from services.activities.domain.problems import NotAnActivity
from services.activities.packing import pack
from services.activities.parsers.parsed import ParsedActivity, ParsedFile
from services.activities.reading import Sports, read_and_analyse

LARGEST_STREAMS = 12 * 1024 * 1024  # a document of MongoDB holds 16 MiB


def parsed_file(content: bytes, sha256: str, sports: Sports, *, level: int) -> ParsedFile:
    """Read a file and pack what is in it. Raises `NotAnActivity`."""
    analyses = read_and_analyse(content, sports)
    return ParsedFile(
        format=analyses[0].format,
        sha256=sha256,
        original=zstandard.ZstdCompressor(level=level).compress(content),
        activities=tuple(_packed(analysis) for analysis in analyses),
    )


def _packed(analysis: Analysis) -> ParsedActivity:
    streams = analysis.streams
    if streams is None:
        return ParsedActivity(analysis.summary)
    packed = pack(streams)
    if len(packed) > LARGEST_STREAMS:
        raise NotAnActivity("This file has more samples than we can keep")
    return ParsedActivity(
        summary=analysis.summary,
        points=len(streams.time),
        streams=packed,
        laps=analysis.laps,
        splits=analysis.splits or {},
        best_efforts=analysis.best_efforts,
        heart_rates=analysis.heart_rates,
    )
