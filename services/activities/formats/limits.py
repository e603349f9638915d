"""How much a file may hold. What is over it is refused with a sentence, before it costs memory."""

from __future__ import annotations

EXPANDED_BYTES = 64 * 1024 * 1024  # the same as an upload that is not compressed
XML_BYTES = 48 * 1024 * 1024
XML_ELEMENTS = 1_200_000  # about 130 bytes each in lxml's tree, and as much again for their text
SAMPLES = 250_000  # nearly three days, a sample a second
MESSAGES = 1_000_000  # of a FIT file, of any kind
LAPS = 2_000
SESSIONS = 50
