"""New workers for old, without a gap: as many again are started, and when they serve, the oldest are let go."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any

import click

from deploy.circus.arbiter import Arbiter, Refused
from deploy.circus.nginx import find_nginx
from deploy.circus.settings import Settings
from deploy.openresty.render import render as render_door


def reload_services(settings: Settings, documents: Mapping[str, Mapping[str, Any]], services: Iterable[str]) -> None:
    """Reload these services, and the door where its configuration has changed. Raises `Refused`."""
    arbiter = Arbiter(settings.endpoint)
    old = {service: arbiter.pids(service) for service in services}
    for service in old:
        arbiter.grow(service, settings.workers[service])
    new = {service: arbiter.pids(service) - pids for service, pids in old.items()}
    time.sleep(settings.circus.warm_up_s)
    fallen = [service for service, pids in new.items() if not pids <= arbiter.pids(service)]
    for service, pids in old.items():
        if service not in fallen:
            arbiter.grow(service, -len(pids))
            click.echo(f"{service}: {len(new[service])} new workers, {len(pids)} old ones gone")
    if fallen:
        raise Refused(f"the new workers of {', '.join(fallen)} do not stay up; the old ones serve on. See the log")
    reload_door(settings, documents, arbiter)


def reload_door(settings: Settings, documents: Mapping[str, Mapping[str, Any]], arbiter: Arbiter) -> None:
    """Have nginx read its configuration again, if that is another now: doing so ends idle connections of clients."""
    written = [settings.run / name for name in ("nginx.conf", "to_services.conf", "door.json")]
    before = [path.read_bytes() for path in written]
    nginx = find_nginx(settings.circus.nginx)
    render_door(settings.door, nginx, documents)
    if before == [path.read_bytes() for path in written]:
        return
    checked = [nginx, "-t", "-q", "-e", "stderr", "-p", str(settings.run), "-c", str(written[0])]
    subprocess.run(checked, check=True)  # noqa: S603 - the nginx that runs already
    arbiter.signal("door", "hup")
    click.echo("door: configuration read again")
