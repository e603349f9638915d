"""How a browser is signed in: the cookies that hold its tokens, and who may use them for an unsafe verb."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from services.chassis.problems import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class CrossSite(Forbidden):
    """A browser sent our cookie along with a request that another site made."""

    kind = "cross-site-request"
    title = "This request did not come from our own pages"


class BrowserSessions(Struct, frozen=True):
    """The cookies' names, and the origin whose pages may use them.

    On https the names have the prefix `__Host-`, which binds a cookie to this host, `Secure` and the whole site (RFC 6265bis);
    on plain http, as on a laptop, a browser would never send such a cookie back.
    """

    origin: str
    secure: bool

    @classmethod
    def at(cls, public_url: str) -> BrowserSessions:
        """The sessions of a Runnerly that is reached at this address."""
        parts = urlsplit(public_url)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.scheme == "https")

    @property
    def access_cookie(self) -> str:
        """The cookie that holds the access token."""
        return self._prefixed("runnerly_access")

    @property
    def refresh_cookie(self) -> str:
        """The cookie that holds the refresh token."""
        return self._prefixed("runnerly_refresh")

    def _prefixed(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    def check_origin(self, method: str, headers: Mapping[str, str]) -> None:
        """Raise `CrossSite` unless a request by cookie comes from our own pages; safe verbs may come from anywhere.

        Browsers say where a request comes from in `Sec-Fetch-Site` or, older ones, in `Origin`; one without is refused.
        """
        if method in SAFE:
            return
        site = headers.get("Sec-Fetch-Site")
        if site is not None:
            if site in {"same-origin", "none"}:
                return
        elif self._is_own(headers.get("Origin", ""), headers.get("Host", "")):
            return
        raise CrossSite

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether pages of this origin are ours; on one's own machine also by another name that this very request came to."""
        if origin == self.origin:
            return True
        ours = urlsplit(self.origin)
        name = host.removesuffix(f":{ours.port}").strip("[]")
        here = {ours.hostname, name} <= THIS_MACHINE and host.endswith(f":{ours.port}")
        return here and origin == f"{ours.scheme}://{host}"
