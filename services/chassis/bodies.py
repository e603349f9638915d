"""Request bodies as they arrive: bounded each, and bounded all together."""

from __future__ import annotations

from services.chassis.problems import TooLarge, Unavailable

UNCOUNTED = 64 * 1024
LINGER_LIMIT = 512 * 1024 * 1024


class BodyBudget:
    """The bytes of all bodies that a process holds at one time; small ones are not counted."""

    def __init__(self, total: int) -> None:
        self._left = total

    def take(self, size: int) -> bool:
        """Reserve `size` bytes; False where they are not there."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self._left += size


class Body:
    """One body. Past its limit it is refused and the rest is read and thrown away, so that the client hears the answer."""

    __slots__ = ("_budget", "_held", "_keeping", "_limit", "_taken", "refused", "size")

    def __init__(self, limit: int, budget: BodyBudget) -> None:
        self._limit = limit
        self._budget = budget
        self._held: bytes | bytearray = b""
        self._taken = 0
        self._keeping = True
        self.size = 0
        self.refused: TooLarge | Unavailable | None = None

    def expect(self, length: int) -> None:
        """Refuse at once what says of itself that it is too large."""
        if length > self._limit:
            self.refuse(TooLarge.over(self._limit))

    def receive(self, chunk: bytes) -> bool:
        """Take in a chunk; False when so much came after a refusal that the connection is not worth keeping."""
        self.size += len(chunk)
        if self._keeping:
            self._append(chunk)
            self.expect(self.size)
            self._reserve()
        return self.size <= LINGER_LIMIT

    def _append(self, chunk: bytes) -> None:
        """Grow in place: chunks of many bodies side by side would leave as much memory in pieces as they took."""
        if not self._held:
            self._held = chunk  # which is all of most bodies
            return
        if isinstance(self._held, bytes):
            self._held = bytearray(self._held)
        self._held += chunk

    def _reserve(self) -> None:
        wanted = self.size - UNCOUNTED - self._taken
        if not self._keeping or wanted <= 0:
            return
        if self._budget.take(wanted):
            self._taken += wanted
        else:
            self.refuse(Unavailable("Too much is being sent at once", retry_after_s=2))

    def refuse(self, problem: TooLarge | Unavailable) -> None:
        """Keep nothing of it, because of itself."""
        self.refused = problem
        self.discard()

    def discard(self) -> None:
        """Keep nothing of it: the request was refused for another reason."""
        self._keeping = False
        self.close()

    def take(self) -> bytes:
        """All of it, which is the taker's from now on; its share of the budget stays taken until it is closed."""
        held, self._held = self._held, b""
        return bytes(held)

    def close(self) -> None:
        """Let go of the bytes and of their share of the budget."""
        self._held = b""
        self._budget.give_back(self._taken)
        self._taken = 0
