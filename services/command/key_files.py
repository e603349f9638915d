"""The files that hold keys: each appears whole or not at all, and only its owner may read it."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from services.chassis.secrets import KeyFile, key_file_path, new_key, read_key_file
from services.chassis.settings import ProcessSettings, WrongSetting

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def write_once(path: Path, content: Callable[[], str]) -> bool:
    """Make a file that only its owner may read, unless it is there; whether it was made.

    It appears whole: it is written under another name, then linked, which fails where another was first.
    """
    if path.exists():
        return False
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    try:
        with _draft(path, content) as draft:
            path.hardlink_to(draft)
    except FileExistsError:
        return False
    _sync_folder(path.parent)
    return True


def make_key_file(process: ProcessSettings) -> bool:
    """Make the file of keys, unless it is there; whether it was made. Raises `WrongSetting`."""
    with _told(process):
        return write_once(key_file_path(process), lambda: KeyFile.fresh().text())


def add_kek(process: ProcessSettings) -> None:
    """Put a new key-encryption key before the one that seals. Raises `WrongSetting`, also where two are there already."""
    with _changing(process) as known:
        if len(known.keks) > 1:
            raise WrongSetting(
                "One key-encryption key is being replaced already: finish that first, with `runnerly keys reseal --forget`"
            )
        _replace(key_file_path(process), replace(known, keks=(new_key(), *known.keks)))


def forget_keks(process: ProcessSettings) -> int:
    """Leave only the key-encryption key that seals; how many are gone. Raises `WrongSetting`."""
    with _changing(process) as known:
        if len(known.keks) > 1:
            _replace(key_file_path(process), replace(known, keks=known.keks[:1]))
        return len(known.keks) - 1


@contextmanager
def _changing(process: ProcessSettings) -> Iterator[KeyFile]:
    """The keys in the file, which nobody else changes meanwhile."""
    folder = key_file_path(process).parent
    with _told(process):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield read_key_file(process)
        finally:
            os.close(handle)


@contextmanager
def _told(process: ProcessSettings) -> Iterator[None]:
    """What can't be written is told as a wrong setting."""
    try:
        yield
    except OSError as failure:
        raise WrongSetting(
            f"The key-encryption key can't be written to {key_file_path(process)} ({failure.strerror}):"
            " set RUNNERLY_KEK_FILE"
        ) from None


def _replace(path: Path, keys: KeyFile) -> None:
    """Put these keys in the place of those in the file, which stays its owner's, whoever runs the command."""
    owner = path.stat()
    with _draft(path, keys.text) as draft:
        os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(path)
    _sync_folder(path.parent)


@contextmanager
def _draft(path: Path, content: Callable[[], str]) -> Iterator[Path]:
    """The content in a file of another name in the same folder; removed at the end, unless it was moved."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(content())
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make sure that a name that was just made outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
