"""One target under atheris: `python -m tests.fuzz.guided TARGET [option of libFuzzer]...`, which `make fuzz` does."""

from __future__ import annotations

import sys

try:
    import atheris
except ImportError:
    sys.exit("atheris is not here: it is for Linux on x86-64 only, and `make develop` installs it there")

READERS = ["services.activities", "services.chassis.decoding", "services.chassis.intake", "garmin_fit_sdk", "multipart"]

with atheris.instrument_imports(include=READERS, enable_loader_override=False):
    import garmin_fit_sdk  # noqa: F401 - or it would come later, unseen

    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    program, name, *options = sys.argv
    atheris.Setup([program, *options], TARGETS[name].read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
