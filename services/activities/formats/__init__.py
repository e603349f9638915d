"""From the bytes of FIT, GPX and TCX files, each also gzipped, to `Recording` values. Pure; run in worker processes."""
