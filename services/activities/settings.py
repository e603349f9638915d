"""What this service is told."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.settings import env

S3_URL = r"^(s3://[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9._/-]*)?)?$"
HTTP_URL = r"^(https?://[^/]+/?)?$"


class ActivitiesSettings(Struct, frozen=True):
    """How files are read, and how much an archive may hold."""

    parser_workers: Annotated[
        int, Meta(ge=0, le=64, description="Processes that read files; 0 is one a core, shared by the workers")
    ] = 0
    parser_timeout_s: Annotated[float, Meta(gt=0, description="Seconds that reading one file may take")] = 15.0
    parser_memory_mib: Annotated[int, Meta(ge=64, description="Memory that reading one file may take, in MiB")] = 512
    parser_queue: Annotated[int, Meta(ge=1, description="Files that may wait to be read")] = 32
    import_members: Annotated[int, Meta(ge=1, description="Files that an archive may hold")] = 50_000
    import_expanded_gib: Annotated[
        int, Meta(ge=1, description="Size of all files in an archive when they are unpacked, in GiB")
    ] = 16
    imports_each: Annotated[int, Meta(ge=1, description="Imports of one person that may go on at one time")] = 3
    imports_at_once: Annotated[int, Meta(ge=1, description="Imports that one process works on at one time")] = 4
    originals_url: Annotated[
        str,
        Meta(
            pattern=S3_URL,
            description="The bucket for files as they were uploaded, `s3://bucket/prefix`; in the database without it",
        ),
    ] = ""
    s3_endpoint: Annotated[
        str,
        Meta(
            pattern=HTTP_URL,
            description="Where that bucket is, if not at Amazon's: `https://s3.example`",
            extra={"env": "AWS_ENDPOINT_URL_S3"},
        ),
    ] = ""
    s3_region: Annotated[str, env("AWS_REGION", "The region of that bucket")] = "us-east-1"
    s3_access_key_id: Annotated[
        str,
        env("AWS_ACCESS_KEY_ID", "The key to that bucket; without one, the role of the task or machine is asked for"),
    ] = ""
    s3_secret_access_key: Annotated[
        str, env("AWS_SECRET_ACCESS_KEY", "The secret of the key to that bucket", secret=True)
    ] = ""
