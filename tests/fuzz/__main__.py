"""Fuzz each target for a while: `make fuzz`, or `python -m tests.fuzz TARGET... --seconds N`.

What is new goes into `.fuzz/` (not kept by git); an input that broke something lies there under `found/`, as small as
libFuzzer made it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.fuzz.targets import CORPUS, HERE, TARGETS, WORDS

ROOT = HERE.parents[1]
NEW = ROOT / ".fuzz"
LONGEST_BYTES = 16 * 1024
SLOWEST_S = 5
MOST_MIB = 1024


def main() -> int:
    """Fuzz one target after the other, each in a process of its own; 1 where any was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all, if none")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    options = parser.parse_args()
    broken = [name for name in options.targets or TARGETS if fuzzed(name, options.seconds)]
    for name in broken:
        print(f"{name} is broken: see {(NEW / 'found').relative_to(ROOT)}/{name}-*", file=sys.stderr)
    return 1 if broken else 0


def fuzzed(name: str, seconds: int) -> int:
    """Fuzz a target; the exit code of libFuzzer, which is not zero where it found something."""
    print(f"== {name}, {seconds} s", flush=True)
    target, new = TARGETS[name], NEW / name
    for folder in (new, NEW / "found"):
        folder.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_BYTES,
        "timeout": SLOWEST_S,
        "rss_limit_mb": MOST_MIB,
        "artifact_prefix": f"{NEW / 'found'}/{name}-",
        "print_final_stats": 1,
        **({"dict": WORDS / f"{target.words}.dict"} if target.words else {}),
    }
    environ = {**os.environ, "RUST_BACKTRACE": "0"}  # panics in a decoder are a refusal, and cost time enough
    arguments = [*(f"-{option}={value}" for option, value in options.items()), str(new), str(CORPUS / target.folder)]
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", name, *arguments], cwd=ROOT, env=environ, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
