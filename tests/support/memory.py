"""How much memory a process took at the most since a moment (proc(5): clear_refs)."""

from __future__ import annotations

import re
from pathlib import Path


class HighWater:
    """The most memory that a process has had since this was made."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5")
        self._begin = self._kb("VmRSS")

    def grown_mib(self) -> float:
        """By how much it has grown at the most."""
        return (self._kb("VmHWM") - self._begin) / 1024

    def _kb(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._process / "status").read_text())
        assert found, f"{self._process} has no {name}"
        return int(found[1])
