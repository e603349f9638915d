"""Runs and all that is known of them: files, summaries, streams, laps, splits, statistics.

Owns the database `runnerly_activities`; calls no other service. Publishes `activity.imported`, `activity.changed` and
`activity.deleted`.
"""
