"""What a command writes in the log: for Graylog, where there is one. People read its standard output."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from services.chassis.catalogue import LogCatalogue
from services.chassis.logs import Logger, configure_logging
from services.chassis.settings import ProcessSettings


@contextmanager
def logbook(process: ProcessSettings, command: str, *, person_key: bytes = b"") -> Iterator[Logger]:
    """The log, while inside. A command that names people gives the key that they are hashed with (`logs.person`)."""
    logs = configure_logging(
        service=command,
        environment=process.environment,
        level=process.log_level,
        gelf_url=process.gelf_url or None,
        person_key=person_key,
        catalogue=LogCatalogue.read(process.monitoring),
        stdout=None,
    )
    try:
        yield logs.get_logger(command)
    finally:
        logs.close()


def quiet() -> Logger:
    """No log: what went wrong is said once, by the command itself."""
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    logger: Logger = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=silent)
    return logger
