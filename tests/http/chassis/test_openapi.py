"""The generated document says what the endpoints do."""

from __future__ import annotations

from openapi_spec_validator import OpenAPIV31SpecValidator

from services.chassis import openapi
from tests.http.chassis.test_endpoint import ROUTES

DOCUMENT = openapi.document("shoes", "Shoes on a shelf.", "1", ROUTES)


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_operation_is_there_with_its_scope() -> None:
    operations = {
        method["operationId"]: method["security"] for path in DOCUMENT["paths"].values() for method in path.values()
    }
    assert operations["addShoe"] == [{"bearer": ["activities:write"]}, {"session": ["activities:write"]}]
    assert set(operations) == {
        "listShoes",
        "addShoe",
        "readShoe",
        "renameShoe",
        "removeShoe",
        "weighFile",
        "dawdle",
        "followTicks",
        "readMood",
    }


def test_a_list_says_how_it_is_paged() -> None:
    parameters = {p["name"]: p for p in DOCUMENT["paths"]["/shoes"]["get"]["parameters"]}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert parameters["cursor"]["schema"] == {"type": "string"}
    assert not parameters["cursor"]["required"]


def test_unknown_fields_are_refused_and_said_so() -> None:
    assert DOCUMENT["components"]["schemas"]["NewShoe"]["additionalProperties"] is False


def test_what_is_created_says_its_status_and_what_can_be_wrong() -> None:
    responses = DOCUMENT["paths"]["/shoes"]["post"]["responses"]
    assert set(responses) == {"201", "400", "401", "403", "404", "406", "409", "413", "415", "422", "429", "500", "503"}
