"""`python -m services.command.tethered PARENT COMMAND...`: become a command that dies with the process that started it.

The kernel is asked for a SIGKILL at the parent's death (`prctl(2)`, PR_SET_PDEATHSIG), which survives `exec`; so a parent that
was killed leaves no orphan behind. Elsewhere than on Linux the command runs untethered.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tether(parent: int) -> None:
    """Die with `parent`; end at once where it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command comes from our own `Child`
