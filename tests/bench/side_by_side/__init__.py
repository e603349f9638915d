"""Runnerly and FitTrackee 1.3.6, side by side in one run: the same runs, the same load, two workers each.

`python -m tests.bench.side_by_side` (`make bench-peer`). FitTrackee is installed from PyPI into a virtual environment of its
own and runs as its documentation says: gunicorn with two workers, a process for background tasks, and PostgreSQL with
PostGIS and Redis from Debian's packages. Ours runs as `runnerly serve` twice on one socket. Only one of the two has work at
a time, each measure is repeated in turn, and what else the machine did meanwhile is told.
"""
