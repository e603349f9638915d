"""`make up` and `make reload` with stand-in services: the launcher, Circus and the door are ours and real."""

import sys

from deploy.circus import settings
from deploy.circus.nginx import find_nginx
from deploy.circus.reload import reload_services
from deploy.circus.up import Failed, Foreground
from deploy.openresty.render import render
from services.chassis.settings import WrongSetting
from tests.deploy.conftest import DOCUMENTS, STAND_IN

PREPARE = [sys.executable, "-m", "tests.deploy.stand_in_up", "prepare"]


def main() -> int:
    found = settings.read(tuple(DOCUMENTS))
    match sys.argv[1:]:
        case ["prepare"]:
            render(found.door, find_nginx(found.circus.nginx), DOCUMENTS)
        case ["reload"]:
            reload_services(found, DOCUMENTS, DOCUMENTS)
        case _:
            return Foreground(found, prepare=PREPARE, serve=f"{sys.executable} {STAND_IN}").run()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (WrongSetting, Failed) as wrong:
        sys.exit(str(wrong))
