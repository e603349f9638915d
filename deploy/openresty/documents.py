"""The committed OpenAPI documents, and what every process of Runnerly serves beside what is documented there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENTS = ROOT / "docs" / "openapi"

# Any process can answer these; one of them does.
ANSWERS_FOR_ALL = "dashboard"
FOR_ALL = {
    "/__version__": "readVersion",
    "/api/docs": "readDocumentationPage",
    "/api/docs/start.js": "readDocumentationScript",
    "/api/docs/assets/{file}": "readDocumentationAsset",
}

Documents = dict[str, dict[str, Any]]


def read_documents(
    services: Iterable[str], assets: Mapping[str, Mapping[str, Path]], folder: Path = DOCUMENTS
) -> Documents:
    """The document of each service by its name, with its health, its assets and its document itself among the paths.

    `assets` are the folders that services serve files from, by service and path. One without public calls has no document.
    """
    documents = {service: _read(folder / f"{service}.json") for service in services}
    for service, document in documents.items():
        paths = document["paths"]
        paths[f"/api/health/{service}"] = _open_get("readServiceHealth")
        if "openapi" in document:
            paths[f"/api/openapi/{service}.json"] = _open_get("readOpenApiDocument")
        for path, files in assets.get(service, {}).items():
            paths.update({f"{path}/{file}": _open_get("readAsset") for file in _files(files)})
    if ANSWERS_FOR_ALL in documents:
        documents[ANSWERS_FOR_ALL]["paths"].update({path: _open_get(name) for path, name in FOR_ALL.items()})
    return documents


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"paths": {}}
    return document


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def _open_get(operation: str) -> dict[str, Any]:
    return {"get": {"operationId": operation, "security": []}}
