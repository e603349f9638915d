"""Takeouts, as whoever gets one reads them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

from jsonschema import Draft202012Validator


class Takeout:
    """An archive, read whole. It checks at once that every file is as the manifest and the schemas in it say."""

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            assert opened.testzip() is None
            self.files = {name: opened.read(name) for name in opened.namelist()}
        self.manifest = self.json("manifest.json")
        self._check_manifest()
        self._check_schemas()

    def json(self, path: str) -> Any:
        """A file, decoded."""
        return json.loads(self.files[path])

    def under(self, folder: str) -> dict[str, bytes]:
        """The files of a folder."""
        return {path: content for path, content in self.files.items() if path.startswith(f"{folder}/")}

    def _check_manifest(self) -> None:
        assert (self.manifest["format"], self.manifest["version"]) == ("runnerly-takeout", 1)
        told = {file["path"]: (file["bytes"], file["sha256"]) for file in self.manifest["files"]}
        assert told == {
            path: (len(content), hashlib.sha256(content).hexdigest())
            for path, content in self.files.items()
            if path != "manifest.json"
        }
        assert sum(service["files"] for service in self.manifest["services"]) == len(told)

    def _check_schemas(self) -> None:
        """Each service's schema holds, and every file is of a kind that one of them knows."""
        documents = {path: self.json(path) for path in self.files if path.endswith(".json")}
        schemas = [self.json(path) for path in self.under("schemas")]
        assert len(schemas) == len(self.manifest["services"])
        for schema in schemas:
            Draft202012Validator(schema).validate(documents)
        closed = {
            "anyOf": [
                {"propertyNames": {"pattern": pattern}} for schema in schemas for pattern in schema["patternProperties"]
            ]
        }
        for path in self.files.keys() - {"manifest.json"} - self.under("schemas").keys():
            Draft202012Validator(closed).validate({path: None})
