"""`python -m deploy.health`: exit 0 where a worker of every service answers through the door. For a container's engine."""

from __future__ import annotations

import os
import sys
import urllib.request

TIMEOUT_S = 4


def main() -> int:
    """Ask once; 0 is well."""
    try:
        url = f"http://127.0.0.1:{os.environ.get('RUNNERLY_PORT') or 8080}/__lbheartbeat__"
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            return 0
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - engines show what a failed check printed
        return 1


if __name__ == "__main__":
    sys.exit(main())
