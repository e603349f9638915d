"""The OpenAPI 3.1 document of a service, made from the same declarations that serve it."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from types import UnionType
from typing import Any, Union

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.inspect import is_struct_type

from services.chassis import negotiation
from services.chassis.answers import Download, EventStream, File, Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import HEADER, InFlight, KeyReused
from services.chassis.intake import AS_IT_IS
from services.chassis.operations import Operation
from services.chassis.problems import (
    MEDIA_TYPE,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    NotAcceptable,
    NotFound,
    Problem,
    RangeNotSatisfiable,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from services.chassis.scopes import SCOPES

REF = "#/components/schemas/{name}"
STRING = {"type": "string"}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "session": {"type": "apiKey", "in": "cookie", "name": "runnerly_access"},
    "client": {
        "type": "http",
        "scheme": "basic",
        "description": "A client's id and secret; it may also prove itself in the form (RFC 6749, 2.3; RFC 7523, 2.2)",
    },
}
BINARY = {"type": "string", "format": "binary"}
# One event of a stream, as a browser gives it to its listener.
EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "id": STRING,
        "event": STRING,
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


class ProblemDocument(Struct, frozen=True):
    """What is wrong, as RFC 9457 has it; `errors` names the fields that are."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError]


def document(name: str, summary: str, version: str, routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of the service of this name."""
    listed = list(routes)
    types = list(_types(listed))
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    schemas = _Schemas(types)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Runnerly: {name}",
            "description": summary,
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": summary}],
        "paths": {route.path: dict(_path_item(name, route, schemas)) for route in listed},
        "components": {
            "schemas": {key: components[key] for key in sorted(components)},
            "securitySchemes": {
                name: scheme
                for name, scheme in SECURITY_SCHEMES.items()
                if name != "client" or any(route.endpoint.known_by == name for route in listed)
            },
        },
    }


class _Schemas:
    """The JSON schema of every type that some operation takes or gives."""

    def __init__(self, types: list[Any]) -> None:
        schemas, _ = msgspec.json.schema_components(types, ref_template=REF)
        self._known = list(zip(types, schemas, strict=True))

    def of(self, type_: Any) -> dict[str, Any]:
        if len(choices := _choices(type_)) > 1:
            return {"anyOf": [self.of(choice) for choice in choices]}
        return next(schema for known, schema in self._known if known == type_)


def _choices(type_: Any) -> tuple[Any, ...]:
    """The structs of a union of structs, which msgspec encodes but, as they have no tags, does not describe."""
    choices = typing.get_args(type_) if typing.get_origin(type_) in {Union, UnionType} else ()
    return choices if all(is_struct_type(typing.get_origin(one) or one) for one in choices) else ()


def _types(routes: list[Route]) -> Iterator[Any]:
    yield ProblemDocument
    for route in routes:
        if route.endpoint.error_document is not None:
            yield route.endpoint.error_document[1]
        for plan in route.endpoint.operations.values():
            yield from (type_ for type_ in (plan.body, plan.form) if type_ is not None)
            if plan.has_value and plan.returns is not type(None):
                yield from _choices(plan.returns) or (plan.returns,)
            if plan.query is not None:
                yield from _field_types(plan.query)


def _field_types(query: type[Struct]) -> Iterator[Any]:
    yield from (field.type for field in msgspec.structs.fields(query))


def _path_item(tag: str, route: Route, schemas: _Schemas) -> Iterator[tuple[str, Any]]:
    for method, plan in route.endpoint.operations.items():
        yield method.lower(), _operation(tag, method, plan, schemas, route.endpoint)


def _operation(
    tag: str, method: str, plan: Operation, schemas: _Schemas, endpoint: type[Endpoint[Any]]
) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": plan.id, "tags": [tag], "summary": plan.summary}
    if plan.description:
        described["description"] = plan.description
    if parameters := [*_path_parameters(plan), *_query_parameters(plan, schemas), *_headers(method, plan)]:
        described["parameters"] = parameters
    if plan.takes_body:
        described["requestBody"] = {"required": not plan.body_optional, "content": _request_content(plan, schemas)}
    described["responses"] = _responses(method, plan, schemas, endpoint)
    if plan.scope is None:
        # `{}`: it can be called without, too
        described["security"] = [{endpoint.known_by: []}, {}] if endpoint.known_by else []
    else:
        described["security"] = [{"bearer": [plan.scope]}, {"session": [plan.scope]}]
        described["x-scope"] = {"name": plan.scope, "means": SCOPES[plan.scope]}
    return described


def _path_parameters(plan: Operation) -> Iterator[dict[str, Any]]:
    for name in plan.path:
        yield {"name": name, "in": "path", "required": True, "schema": STRING}


def _query_parameters(plan: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    if plan.takes_file:
        yield {"name": "filename", "in": "query", "required": False, "schema": STRING}
    if plan.query is None:
        return
    for field in msgspec.structs.fields(plan.query):
        required = field.default is NODEFAULT and field.default_factory is NODEFAULT
        schema = _without_null(dict(schemas.of(field.type)))
        parameter = {"name": field.encode_name, "in": "query", "required": required, "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        if not required and isinstance(field.default, str | int | float):
            schema["default"] = field.default
        yield parameter


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is given or left out; it is never null."""
    if "anyOf" not in schema:
        return schema
    choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    if len(choices) != 1:
        return {**schema, "anyOf": choices}
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}


def _headers(method: str, plan: Operation) -> Iterator[dict[str, Any]]:
    if plan.once:
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
        yield {"name": HEADER, "in": "header", "required": plan.key_required, "schema": schema}
    if method == "GET" and plan.has_value:
        yield {"name": "If-None-Match", "in": "header", "required": False, "schema": STRING}
    if plan.returns is Download:
        yield from (
            {"name": name, "in": "header", "required": False, "schema": STRING} for name in ("Range", "If-Range")
        )


def _request_content(plan: Operation, schemas: _Schemas) -> dict[str, Any]:
    if plan.takes_file:
        form = {"type": "object", "required": ["file"], "properties": {"file": BINARY}, "additionalProperties": False}
        as_it_is = sorted(AS_IT_IS) if plan.received else ["application/octet-stream"]
        return {"multipart/form-data": {"schema": form}, **{media: {"schema": BINARY} for media in as_it_is}}
    if plan.form is not None:
        return {"application/x-www-form-urlencoded": {"schema": schemas.of(plan.form)}}
    return {negotiation.JSON: {"schema": schemas.of(plan.body)}}


def _responses(method: str, plan: Operation, schemas: _Schemas, endpoint: type[Endpoint[Any]]) -> dict[str, Any]:
    responses = {str(plan.status): {"description": HTTPStatus(plan.status).phrase, **_answer_content(plan, schemas)}}
    if method == "GET" and plan.has_value:
        responses["304"] = {"description": "You have it already"}
    if plan.returns is Download:
        responses["206"] = {"description": HTTPStatus(206).phrase, **_answer_content(plan, schemas)}
    if plan.redirects:
        responses["303"] = {"description": HTTPStatus(303).phrase}
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in _problems(plan):
        by_status.setdefault(endpoint.status_for(problem), []).append(problem)
    media_type, body = endpoint.error_document or (MEDIA_TYPE, ProblemDocument)
    content = {media_type: {"schema": schemas.of(body)}}
    for status, problems in sorted(by_status.items()):
        titles = "; ".join(dict.fromkeys(problem.title for problem in problems))
        responses[str(status)] = {"description": titles, "content": content}
    return responses


def _answer_content(plan: Operation, schemas: _Schemas) -> dict[str, Any]:
    if plan.returns is type(None):
        return {}
    if plan.returns is EventStream:
        return {"content": {"text/event-stream": {"schema": EVENT}}}
    if plan.returns in {File, Stream, Download}:
        return {"content": {"*/*": {"schema": BINARY}}}
    schema = {"schema": schemas.of(plan.returns)}
    also = {} if plan.also is None else {plan.also: {"schema": STRING}}
    return {"content": {negotiation.JSON: schema, negotiation.MSGPACK: schema, **also}}


def _problems(plan: Operation) -> Iterator[type[Problem]]:
    """Everything that can be wrong with a call of this operation: what its declaration names, and what its shape implies."""
    yield from plan.problems
    yield Invalid
    if plan.returns is Download:
        yield RangeNotSatisfiable
    if plan.scope is not None:
        yield from (Unauthenticated, Forbidden)
    if plan.path:
        yield NotFound
    if plan.has_value:
        yield NotAcceptable
    if plan.takes_body:
        yield from (Malformed, TooLarge, UnsupportedMedia)
    if plan.once:
        yield from (Malformed, InFlight, KeyReused)
    yield from (TooMany, Unavailable, Problem)
