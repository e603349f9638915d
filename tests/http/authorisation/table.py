"""The table of who may call what, as people read it in the book."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "authorisation.md"
PEOPLE = ("nobody", "runner", "another", "hotelier", "admin", "app")
PUBLIC, INTERNAL = ("operation", "needs", *PEOPLE), ("operation", "services")
YES, NOT_ASKED = "yes", "—"


def rows(header: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The rows of the tables with this header, by operation (`service.operationId`)."""
    found: dict[str, dict[str, str]] = {}
    inside = False
    for line in PAGE.read_text().splitlines():
        cells = tuple(cell.strip().strip("`") for cell in line.split("|"))
        inside = cells == header or (inside and "|" in line)
        if inside and cells != header and not cells[0].startswith("--"):
            row = dict(zip(header, cells, strict=True))
            assert row["operation"] not in found, f"{row['operation']} has two rows"
            found[row.pop("operation")] = row
    return found
