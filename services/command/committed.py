"""Files that the program makes of itself and that are committed: written where they are stale, or checked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click


def settle(folder: Path, pattern: str, wanted: Mapping[str, bytes], *, check: bool, remedy: str) -> None:
    """Write what is stale and remove what nothing makes any more; or, to `check`, fail and name the remedy."""
    left_over = sorted(path.name for path in folder.glob(pattern) if path.name not in wanted)
    stale = sorted(name for name, content in wanted.items() if _content(folder / name) != content)
    if check:
        if stale or left_over:
            click.echo(f"Stale: {', '.join([*stale, *left_over])}. Run `{remedy}`.", err=True)
            sys.exit(1)
        click.echo(f"{len(wanted)} documents, all fresh")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (folder / name).write_bytes(wanted[name])
    for name in left_over:
        (folder / name).unlink()
    click.echo(f"{len(wanted)} documents, {len(stale)} changed, {len(left_over)} removed")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
