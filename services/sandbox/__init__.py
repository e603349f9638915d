"""The outside world, played locally: for now a mailbox that takes every mail and shows it.

It is what `make run` and the tests talk to in place of a mail server (and, later, of Strava, a bank and hotel
partners). Each party has knobs at `PUT /faults/<party>`, so that what goes wrong outside can be shown. It owns files
under `$RUNNERLY_HOME/sandbox/`, calls nobody, has no database, and refuses to start in production.
"""
