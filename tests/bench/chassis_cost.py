"""What the chassis costs: authenticated JSON through all of it, against a bare Tornado handler writing the same bytes.

`python -m tests.bench.chassis_cost` needs `wrk`. Each server has one core; pairs are run in turn, so that the ratio holds on a
machine whose speed drifts. The budget is 80 %: the exit code says whether it was kept.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys

from tests.bench.wrk import wrk

BUDGET = 0.80
PAIRS, SECONDS, CONNECTIONS = 5, 4, 32


class Server:
    """One of the two servers, in a process of its own."""

    def __init__(self, kind: str, statsd: socket.socket) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/run"
        command = [sys.executable, "-m", "tests.bench.cost_server", kind, str(self._socket.fileno())]
        self._process = subprocess.Popen(
            [*command, str(statsd.getsockname()[1])],
            pass_fds=[self._socket.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._token = self._process.stdout.readline().strip()

    def rate(self, seconds: int) -> float:
        """Requests a second, as wrk counts them; an answer other than 200 ends the benchmark."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return wrk(self.url, seconds=seconds, connections=CONNECTIONS, headers=headers).rate

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def main() -> int:
    """Measure, print, and judge against the budget."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        bare, chassis = Server("bare", statsd), Server("chassis", statsd)
        try:
            for server in (bare, chassis):
                server.rate(1)
            pairs = [(bare.rate(SECONDS), chassis.rate(SECONDS)) for _ in range(PAIRS)]
        finally:
            bare.stop()
            chassis.stop()
    ratios = [ours / theirs for theirs, ours in pairs]
    median = statistics.median(ratios)
    print(f"bare Tornado    {statistics.median(pair[0] for pair in pairs):8.0f} requests/s")
    print(f"whole chassis   {statistics.median(pair[1] for pair in pairs):8.0f} requests/s")
    print(
        f"ratio           {median:8.1%}   (of {PAIRS} pairs: {min(ratios):.1%} to {max(ratios):.1%}; budget {BUDGET:.0%})"
    )
    return 0 if median >= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
