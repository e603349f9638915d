"""podman on a machine without Docker, without an image registry and without systemd: how images are built and run there.

The image that our Dockerfile starts from can't be fetched, so a stand-in carries its name: Debian, with Debian's nginx
and Lua in it, made by mmdebstrap from the machine's own package sources. Made once, and kept between runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BASE = "localhost/openresty/openresty:bookworm"
IN_BASE = "nginx,libnginx-mod-http-lua,lua-cjson,lua-resty-core,lua-resty-lrucache,python3,python3-venv"
PROGRAMS = ("podman", "buildah", "runc", "conmon", "mmdebstrap")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{home}/graph"
runroot = "{home}/run"
"""


def lacking() -> list[str]:
    """What this machine lacks to build and run images."""
    lacks = [program for program in PROGRAMS if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")]
    if os.geteuid() != 0:
        lacks.append("root (mmdebstrap, overlay)")
    if not any(source.exists() for source in SOURCES):
        lacks.append("Debian's package sources")
    return lacks


@dataclass(frozen=True)
class Engine:
    """podman with a store of its own in `home`."""

    home: Path

    @property
    def environ(self) -> dict[str, str]:
        """What makes podman use our configuration."""
        return os.environ | {
            "CONTAINERS_CONF": str(self.home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.home / "storage.conf"),
        }

    def prepare(self) -> None:
        """Write the configuration, and make the base image where there is none yet."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "containers.conf").write_text(CONTAINERS_CONF.format(home=self.home))
        (self.home / "storage.conf").write_text(STORAGE_CONF.format(home=self.home))
        trusting = f"[global]\ncert = {AUTHORITIES}\n" if AUTHORITIES.exists() else ""
        (self.home / "pip.conf").write_text(trusting)
        if self.podman("image", "exists", BASE, check=False).returncode != 0:
            self._make_base()

    def _make_base(self) -> None:
        archive = self.home / "base.tar"
        source = next(source for source in SOURCES if source.exists())
        make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={IN_BASE}", "bookworm", archive, source]
        try:
            subprocess.run(make, check=True, capture_output=True, text=True, timeout=300)
            self.podman("import", "--quiet", str(archive), BASE)
        except subprocess.CalledProcessError as failed:
            raise AssertionError(f"no base image: {failed.stderr[-2000:]}") from failed
        finally:
            archive.unlink(missing_ok=True)

    def podman(self, *words: str, check: bool = True, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run podman. Raises AssertionError, with its words, where it fails and `check` is set."""
        done = subprocess.run(
            ["podman", *words], env=self.environ, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert not check or done.returncode == 0, (
            f"podman {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done

    def build(self, context: Path, tag: str) -> None:
        """Build an image as anybody would, but for what this machine needs to reach its package sources."""
        mounts: Sequence[str] = [f"{self.home}/pip.conf:/etc/pip.conf:ro"]
        if AUTHORITIES.exists():
            mounts = [*mounts, f"{AUTHORITIES}:{AUTHORITIES}:ro"]
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        options = ["--quiet", "--pull=never", "--network=host", "--format=docker", *volumes, "--tag", tag]
        self.podman("build", *options, str(context), timeout_s=600)
        self.podman("image", "prune", "--force", check=False)
