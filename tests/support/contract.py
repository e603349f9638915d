"""Every response in HTTP tests is held against the OpenAPI document of the service that gave it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
from jsonschema import Draft202012Validator

DECODE = {
    "application/json": msgspec.json.decode,
    "application/problem+json": msgspec.json.decode,
    "application/msgpack": msgspec.msgpack.decode,
    "text/csv": bytes.decode,
    "text/html": bytes.decode,
}


class BrokenContract(AssertionError):
    """The service answered what its document does not say."""


class Contract:
    """One OpenAPI document, as the judge of responses. `under` is a path that is put before the document's own."""

    def __init__(self, document: dict[str, Any], under: str = "") -> None:
        self._components = document["components"]
        self._paths = [
            (re.compile(re.escape(under) + re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), item)
            for path, item in document["paths"].items()
        ]

    def check(self, method: str, path: str, status: int, media_type: str, body: bytes) -> None:
        """Raise `BrokenContract` unless the document allows this answer. Paths and verbs it does not have are not judged."""
        operation = self._operation(method, path)
        if operation is None:
            return
        name = f"{operation['operationId']} ({method} {path})"
        response = operation["responses"].get(str(status))
        if response is None:
            raise BrokenContract(f"{name} answered {status}, which its document does not have: {body[:300]!r}")
        content = response.get("content", {})
        if not body or "*/*" in content or media_type == "text/event-stream":
            return
        if media_type not in content:
            raise BrokenContract(f"{name} answered {media_type}, not one of {list(content)}")
        schema = {**content[media_type]["schema"], "components": self._components}
        for error in Draft202012Validator(schema).iter_errors(DECODE[media_type](body)):
            raise BrokenContract(
                f"{name} answered what its schema does not allow at {error.json_path}: {error.message}"
            )

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, item in self._paths:
            if pattern.match(path):
                found: dict[str, Any] | None = item.get(method.lower())
                return found
        return None


def checking(contract: Contract) -> aiohttp.TraceConfig:
    """What makes an aiohttp client hold each answer against the contract; streams are left to their reader."""

    async def check(_: aiohttp.ClientSession, __: SimpleNamespace, ended: aiohttp.TraceRequestEndParams) -> None:
        response = ended.response
        if response.content_type != "text/event-stream":
            body = await response.read()
            contract.check(ended.method, ended.url.path, response.status, response.content_type, body)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(check)
    return trace
