"""Configuration is the environment, read once, into frozen structs; what is wrong is told in a sentence that says what to set.

A setting is a field: its variable is `RUNNERLY_<FIELD>` unless `Meta(extra={"env": ...})` names another; `<VARIABLE>_FILE`
reads it from a file (for secrets); its description is its documentation.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from services.chassis.origins import Origins

S = TypeVar("S", bound=Struct)

MASK = "********"


class WrongSetting(Exception):
    """The environment does not hold together; the message says which variable to set, and to what."""


class Setting(Struct, frozen=True):
    """One setting as its documentation tells it."""

    variable: str
    description: str
    default: str
    secret: bool
    field: str


def env(variable: str, description: str, *, secret: bool = False) -> Meta:
    """The annotation of a setting whose variable has a name of its own."""
    return Meta(description=description, extra={"env": variable, "secret": secret})


class ProcessSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What every process of Runnerly is told."""

    environment: Annotated[
        Literal["development", "production"], Meta(description="`production` refuses what is only for trying out")
    ] = "development"
    home: Annotated[Path, Meta(description="Where state is kept: database files, keys, sockets")] = Path("var")
    host: Annotated[str, Meta(description="The address that the public port listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The public port")] = 8080
    internal_port: Annotated[
        int, Meta(ge=0, le=65535, description="The loopback port that services call each other on")
    ] = 8090
    sandbox_port: Annotated[int, Meta(ge=0, le=65535, description="The port of the sandbox")] = 8025
    sandbox_smtp_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="The port the sandbox takes mail on; `make run` takes a free one, unless it is set",
        ),
    ] = 1025
    public_url: Annotated[
        str, Meta(description="The address people reach Runnerly at; made of host and port unless set")
    ] = ""
    peer_url: Annotated[str, Meta(description="Where a service is reached by the others, with `{service}` in it")] = ""
    cors_origins: Annotated[
        Origins,
        Meta(description="Other sites whose pages may call the API with tokens they hold: `https://app.example ...`"),
    ] = Origins()
    mongodb_uri: Annotated[
        str, env("MONGODB_URI", "The MongoDB replica set; the embedded run brings its own", secret=True)
    ] = ""
    amqp_url: Annotated[str, env("AMQP_URL", "RabbitMQ; without it, events go through MongoDB", secret=True)] = ""
    gelf_url: Annotated[str, env("GELF_URL", "Where Graylog listens: udp://, tcp:// or tls://host:port")] = ""
    statsd_url: Annotated[str, env("STATSD_URL", "Where statsd listens: udp://host:port")] = ""
    statsd_tags: Annotated[Literal["graphite", "datadog"], env("STATSD_TAGS", "How labels are written")] = "graphite"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least level that is logged")
    ] = "info"
    log_file: Annotated[Path | None, Meta(description="Where log lines go instead of standard output")] = None
    behind_door: Annotated[bool, Meta(description="Whether a proxy in front sets X-Real-Ip, and compresses")] = False
    workers: Annotated[int, Meta(ge=1, description="How many processes of this service run on this machine")] = 1
    drain_s: Annotated[float, Meta(ge=0, description="Seconds that requests in flight get to finish at a stop")] = 7.0
    body_budget_mib: Annotated[int, Meta(ge=64, description="Memory for all request bodies in flight, in MiB")] = 512
    kept_replies_mib: Annotated[
        int, Meta(ge=0, description="Memory for replies that are kept until something changes, in MiB; 0 keeps none")
    ] = 8
    monitoring: Annotated[Path | None, Meta(description="The folder of the metrics and logs catalogues")] = None
    kek_file: Annotated[Path | None, Meta(description="The key-encryption key; `<home>/keys/kek` unless set")] = None

    @property
    def url(self) -> str:
        """The address people reach Runnerly at, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def production(self) -> bool:
        """Whether this is a deployment for others."""
        return self.environment == "production"

    def peer(self, service: str) -> str:
        """The base address of another service's internal API."""
        template = self.peer_url or f"http://127.0.0.1:{self.internal_port}/{{service}}"
        return template.replace("{service}", service)


def read(type_: type[S], environ: Mapping[str, str]) -> S:
    """The settings of a type from the environment. Raises `WrongSetting`."""
    values: dict[str, Any] = {}
    for setting in describe(type_):
        given = _given(setting.variable, environ)
        if given is not None:
            values[setting.field] = given
    try:
        return msgspec.convert(values, type_, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise WrongSetting(_sentence(type_, str(error))) from None


def describe(type_: type[Struct]) -> Iterator[Setting]:
    """Every setting of a type, for reading and for the documentation."""
    hints = typing.get_type_hints(type_, include_extras=True)
    for field in msgspec.structs.fields(type_):
        meta = next((m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, Meta)), Meta())
        extra = meta.extra or {}
        default = "" if field.default is msgspec.NODEFAULT else str(field.default)
        yield Setting(
            extra.get("env", f"RUNNERLY_{field.name.upper()}"),
            meta.description or "",
            default,
            bool(extra.get("secret", False)),
            field.name,
        )


def effective(settings: Struct) -> dict[str, str]:
    """The settings as they are, for the log: secrets masked."""
    return {
        setting.variable: MASK
        if setting.secret and getattr(settings, setting.field)
        else str(getattr(settings, setting.field))
        for setting in describe(type(settings))
    }


def _given(variable: str, environ: Mapping[str, str]) -> str | None:
    if path := environ.get(f"{variable}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise WrongSetting(f"{variable}_FILE names {path}, which can't be read: {error.strerror}") from None
    return environ.get(variable) or None


def _decode(type_: type, value: Any) -> Any:
    if type_ is Path:
        return Path(value)
    if type_ is Origins:
        return Origins.parse(value)
    raise NotImplementedError(type_)


def _sentence(type_: type[Struct], error: str) -> str:
    message, _, path = error.partition(" - at `$.")
    name = path.rstrip("`").split("[")[0]
    for setting in describe(type_):
        if setting.field == name or f"`{setting.field}`" in message:
            return f"Set {setting.variable} ({setting.description}): {message}"
    return message
