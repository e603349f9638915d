"""`make up` and `make reload` with stand-in services: the launcher, Circus and the door are ours and real."""

import sys

from deploy.circus import settings
from deploy.circus.reload import reload_services
from deploy.circus.up import Foreground
from services.chassis.settings import WrongSetting
from tests.deploy.conftest import DOCUMENTS, STAND_IN

if __name__ == "__main__":
    found = settings.read(tuple(DOCUMENTS))
    if sys.argv[1:] == ["reload"]:
        reload_services(found, DOCUMENTS)
        sys.exit(0)
    try:
        sys.exit(Foreground(found, DOCUMENTS, serve=f"{sys.executable} {STAND_IN}").run())
    except WrongSetting as wrong:
        sys.exit(str(wrong))
