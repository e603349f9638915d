"""The instruments of a process, begun first and ended last: its logs, its metrics, and what watches over itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pymongo.monitoring import CommandListener

from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.logs import Logger, Logs, configure_logging
from services.chassis.metrics import Metrics, NoMetrics
from services.chassis.mongo_metrics import CommandTimer
from services.chassis.secrets import Secrets
from services.chassis.settings import ProcessSettings
