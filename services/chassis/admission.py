"""Who asks, and whether they may: the token that a request carries, and the scope that it must have."""

from __future__ import annotations

from tornado.web import RequestHandler

from services.chassis.auth import Caller
from services.chassis.problems import Forbidden, Unauthenticated
from services.chassis.sessions import BrowserSessions


def token_in(handler: RequestHandler, sessions: BrowserSessions) -> str:
    """The bearer token of a request, or the one in the session's cookie; the bearer token where both come.

    Raises `Unauthenticated` where there is neither, `CrossSite` for a cookie that another site made use of.
    """
    request = handler.request
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    elif (cookie := handler.get_cookie(sessions.access_cookie)) is not None:
        sessions.check_origin(request.method or "", request.headers)
        return cookie
    raise Unauthenticated(headers={"WWW-Authenticate": "Bearer"})


def admitted(caller: Caller, scope: str) -> Caller:
    """The caller, who has this scope. Raises `Forbidden`, with the challenge of RFC 6750, 3.1."""
    if scope not in caller.scopes:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Forbidden(f"This needs the scope {scope}", headers={"WWW-Authenticate": challenge})
    return caller
