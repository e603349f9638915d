"""Where nginx is."""

from __future__ import annotations

import shutil

from services.chassis.settings import WrongSetting

CANDIDATES = ("openresty", "nginx", "/usr/sbin/nginx")


def find_nginx(named: str) -> str:
    """The nginx to use: the one that was named, or the first there is. Raises `WrongSetting` where there is none."""
    for candidate in [named] if named else CANDIDATES:
        if found := shutil.which(candidate):
            return found
    raise WrongSetting(
        "There is no nginx here. On Debian: apt-get install nginx libnginx-mod-http-lua lua-cjson. "
        "Or say where yours is: RUNNERLY_NGINX=/path/to/nginx. (`make run` needs none.)"
    )
