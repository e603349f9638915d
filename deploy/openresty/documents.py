"""The committed OpenAPI documents, and what every process of Runnerly serves beside what is documented there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENTS = ROOT / "docs" / "openapi"

# Any process can answer these; one of them does.
ANSWERS_FOR_ALL = "dashboard"
FOR_ALL = {
    "/__version__": "readVersion",
    "/api/docs": "readDocumentation",
    "/api/docs/{file}": "readDocumentation",
    "/api/docs/assets/{file}": "readDocumentation",
    "/api/openapi": "listDocuments",
    "/api/openapi/{name}": "readDocument",
}


def read_documents(services: Sequence[str], folder: Path = DOCUMENTS) -> dict[str, dict[str, Any]]:
    """The document of each service, by its name, with its health; one without public calls has an empty one."""
    documents = {service: _read(folder / f"{service}.json") for service in services}
    for service, document in documents.items():
        document["paths"][f"/api/health/{service}"] = _open_get("readHealth")
    standing = documents.get(ANSWERS_FOR_ALL, {"paths": {}})["paths"]
    standing.update({path: _open_get(operation) for path, operation in FOR_ALL.items() if path not in standing})
    return documents


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"paths": {}}
    return document


def _open_get(operation: str) -> dict[str, Any]:
    return {"get": {"operationId": operation, "security": []}}
