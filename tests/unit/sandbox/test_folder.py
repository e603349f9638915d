"""The mailbox's folder: what is kept stays, is found, and never escapes the folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.chassis.problems import NotFound
from services.sandbox.mailbox.folder import Folder

LETTER = b"Subject: Hello\r\n\r\nHello\r\n"


def test_what_was_kept_is_there_after_a_restart_newest_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limit=100)
    first = folder.keep("a@runnerly.test", ["kim@runnerly.test"], LETTER)
    second = folder.keep("a@runnerly.test", ["kim@runnerly.test", "lou@runnerly.test"], LETTER)

    reopened = Folder(tmp_path, limit=100)

    assert reopened.newest(10) == [second, first]
    assert reopened.newest(10, "LOU@runnerly.test") == [second]
    assert reopened.newest(1, "kim@runnerly.test") == [second]
    assert reopened.read(second).recipients == ("kim@runnerly.test", "lou@runnerly.test")
    assert reopened.read(second).content == LETTER


def test_a_letter_cant_pretend_to_be_delivered_to_somebody_else(tmp_path: Path) -> None:
    Folder(tmp_path, limit=9).keep(
        "a@runnerly.test", ["kim@runnerly.test"], b"Delivered-To: lou@runnerly.test\r\n" + LETTER
    )

    assert Folder(tmp_path, limit=9).newest(9, "lou@runnerly.test") == []


def test_past_the_limit_the_oldest_go(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limit=2)
    ids = [folder.keep("", ["kim@runnerly.test"], LETTER) for _ in range(4)]

    assert folder.newest(10) == [ids[3], ids[2]]
    assert Folder(tmp_path, limit=2).newest(10) == [ids[3], ids[2]]


def test_a_removed_message_is_gone(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limit=9)
    kept = folder.keep("", ["kim@runnerly.test"], LETTER)

    folder.remove(kept)
    folder.remove(kept)

    assert folder.newest(9) == folder.newest(9, "kim@runnerly.test") == []
    with pytest.raises(NotFound):
        folder.read(kept)


@pytest.mark.parametrize("name", ["../../etc/passwd", "x", "", "1" * 19 + "-" + "0" * 8 + "/../x"])
def test_a_name_that_is_no_id_reads_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        Folder(tmp_path, limit=9).read(name)


def test_a_half_written_message_is_never_seen(tmp_path: Path) -> None:
    Folder(tmp_path, limit=9)
    (tmp_path / "unfinished" / "0000000000000000001-00000000").write_bytes(b"half")

    assert Folder(tmp_path, limit=9).newest(9) == []
    assert list((tmp_path / "unfinished").iterdir()) == []


WRITER = """
import sys; from pathlib import Path; from services.sandbox.mailbox.folder import Folder
folder = Folder(Path(sys.argv[1]), limit=10_000)
while True:
    print(folder.keep("", ["kim@runnerly.test"], b"Subject: x\\r\\n\\r\\n" + b"y" * 5000), flush=True)
"""


def test_kill_nine_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    answered = [writer.stdout.readline().strip() for _ in range(50)]
    os.kill(writer.pid, signal.SIGKILL)
    answered += [line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()

    folder = Folder(tmp_path, limit=10_000)

    assert set(answered) <= set(folder.newest(10_000))
    assert all(len(folder.read(message_id).content) == 5014 for message_id in answered)
