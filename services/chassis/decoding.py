"""From what a client sent to the structs a verb asks for; what is wrong with it becomes a problem that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from tornado.escape import parse_qs_bytes

from services.chassis.intake import decode_upload
from services.chassis.negotiation import JSON
from services.chassis.operations import Operation
from services.chassis.problems import Invalid, Malformed, TooLarge, UnsupportedMedia
from services.chassis.wording import in_words

T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"

AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")


def decode(
    plan: Operation, query: Mapping[str, Sequence[bytes]], headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """What a verb asks for by name, of the query string and the body. Raises the problem that names what is wrong."""
    arguments: dict[str, Any] = {}
    filename = ""
    if plan.takes_file and "filename" in query:
        filename = given_filename(query)
        query = {name: values for name, values in query.items() if name != "filename"}
    if plan.query is not None:
        arguments["query"] = decode_arguments(query, plan.query, where="query")
    elif query:
        raise Invalid.field(next(iter(query)), "This call has no such parameter")
    if plan.takes_body and not plan.received:
        arguments.update(_decode_body(plan, headers, body, filename))
    return arguments


def given_filename(query: Mapping[str, Sequence[bytes]]) -> str:
    """The name that `?filename=` gives to a body that is a file; '' where it gives none."""
    return query["filename"][0].decode(errors="replace") if "filename" in query else ""


def refuse_encoded(headers: Mapping[str, str]) -> None:
    """Raise `UnsupportedMedia` for a body with a content encoding."""
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without a content encoding")


def _decode_body(plan: Operation, headers: Mapping[str, str], body: bytes, filename: str) -> dict[str, Any]:
    if plan.body_optional and not body:
        return {"body": None}
    content_type = headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    refuse_encoded(headers)
    if plan.upload:
        upload = decode_upload(body, content_type, filename)
        if len(upload.content) > plan.body_limit:
            raise TooLarge.over(plan.body_limit)
        return {"upload": upload}
    if plan.form is not None:
        if media_type != FORM:
            raise UnsupportedMedia(f"Send a form, {FORM}")
        return {"form": decode_arguments(parse_qs_bytes(body, keep_blank_values=True), plan.form, where="form")}
    if media_type != JSON:
        raise UnsupportedMedia(f"Send {JSON}")
    if plan.decode_body is None:
        raise TypeError(f"{plan.id} has no body")
    return {"body": decode_json(body, plan.decode_body, plan.body)}


def decode_json(body: bytes, decode: Callable[[bytes], Any], type_: Any) -> Any:
    """The struct of this type in a JSON body. Raises `Malformed` where it is no JSON, `Invalid` where it is the wrong JSON."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error, type_, where="body") from None
    except (UnicodeDecodeError, RecursionError):
        raise Invalid.field("body", "The text is not valid UTF-8, or is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is not valid JSON: {error}") from None


def decode_arguments(arguments: Mapping[str, Sequence[bytes]], type_: type[T], *, where: str) -> T:
    """The struct in a query string or a form: every name once, unknown names refused. Raises `Invalid`."""
    values: dict[str, str] = {}
    for name, given in arguments.items():
        if len(given) > 1:
            raise Invalid.field(name, "Give this parameter once")
        try:
            values[name] = given[0].decode()
        except UnicodeDecodeError:
            raise Invalid.field(name, "This is not valid UTF-8") from None
    try:
        decoded = msgspec.convert(values, type_, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error, type_, where=where) from None
    if "null" in map(str.lower, values.values()):
        _refuse_null(values, decoded)
    return decoded


def _refuse_null(values: Mapping[str, str], decoded: Any) -> None:
    """Raise `Invalid` where msgspec, being lax about texts, took the word for nothing at all."""
    for field in msgspec.structs.fields(decoded):
        if field.encode_name in values and getattr(decoded, field.name) is None:
            raise Invalid.field(field.encode_name, "Give this parameter a value, or leave it out")


def invalid(error: msgspec.ValidationError, type_: Any, *, where: str) -> Invalid:
    """The problem in a validation error of msgspec, which stops at the first: one field, by its path."""
    match = AT.match(str(error))
    message, path = (match["message"], match["path"] or "") if match else (str(error), "")
    parts = [part for part in re.split(r"[.\[\]]+", path.removeprefix("$")) if part]
    if named := NAMED.match(message):
        parts.append(named["name"])
    return Invalid.field(".".join(parts) or where, in_words(message, type_, parts))
