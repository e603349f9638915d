"""A bounded queue and the thread that empties it: how slow things (a pipe, a socket) are kept away from requests.

Putting something in is an append to a deque and never waits; where the queue is full, what came last is dropped and
counted. The thread is not woken for each item - waking it costs more than the item - but looks by itself every
`pause_s`. It works in small batches, between which it does I/O, so that it never holds the interpreter for long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

BATCH = 32
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
FLUSH_LOOKS_S = 0.005


class Lane(Generic[T]):
    """Hands items to `work`, in order, in batches, from one thread.

    When `work` raises `OSError` the batch is kept and tried again, at longer and longer intervals, for as long as it takes;
    `on_trouble(error)` is told when that begins and `on_trouble(None)` when it is over.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[T]], None],
        *,
        limit: int = 10_000,
        pause_s: float = 0.05,
        on_trouble: Callable[[str, OSError | None], None] | None = None,
    ) -> None:
        self.name = name
        self.limit = limit
        self.dropped = 0
        self._work = work
        self._pause_s = pause_s
        self._on_trouble = on_trouble
        self._items: deque[T] = deque()
        self._in_hand = 0
        self._counting = threading.Lock()
        self._look = threading.Event()
        self._hurry = threading.Event()
        self._stopped = False
        # A daemon: a reader that never reads must not keep a stopped service alive
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> bool:
        """Queue it, or count it as dropped where the queue is full. Never waits."""
        if len(self._items) >= self.limit:
            with self._counting:
                self.dropped += 1
            return False
        self._items.append(item)
        return True

    def look(self) -> None:
        """Have the thread look at once; for the end of a batch, not for each item."""
        self._look.set()

    @property
    def waiting(self) -> int:
        """How many items have not been dealt with yet."""
        return len(self._items) + self._in_hand

    def flush(self, timeout_s: float) -> int:
        """Wait until everything is dealt with, or until the time is up; the number of items that are left."""
        deadline = time.monotonic() + timeout_s
        self._look.set()
        while self.waiting and time.monotonic() < deadline and self._thread.is_alive():
            self._hurry.set()
            time.sleep(FLUSH_LOOKS_S)
        return self.waiting

    def close(self, timeout_s: float) -> int:
        """Flush, then stop the thread; the number of items that are left. A second call does nothing."""
        left = self.flush(timeout_s)
        self._stopped = True
        self._look.set()
        self._hurry.set()
        self._thread.join(timeout=0.2 if left else timeout_s)
        return left

    def _run(self) -> None:
        while not self._stopped:
            # Counted as in hand before they leave the queue, so that a flush never sees neither
            self._in_hand = min(len(self._items), BATCH)
            if self._in_hand:
                self._deal_with([self._items.popleft() for _ in range(self._in_hand)])
            else:
                self._look.wait(self._pause_s)
                self._look.clear()

    def _deal_with(self, batch: Sequence[T]) -> None:
        wait_s = FIRST_RETRY_S
        while not self._stopped:
            try:
                self._work(batch)
            except OSError as trouble:
                if wait_s == FIRST_RETRY_S:
                    self._tell(trouble)
                self._hurry.clear()
                self._hurry.wait(wait_s)
                wait_s = min(2 * wait_s, LAST_RETRY_S)
            except Exception:  # noqa: BLE001 - whatever one batch does, the thread must live on for the next
                with self._counting:
                    self.dropped += len(batch)
                return
            else:
                if wait_s > FIRST_RETRY_S:
                    self._tell(None)
                return

    def _tell(self, trouble: OSError | None) -> None:
        if self._on_trouble is not None:
            self._on_trouble(self.name, trouble)
