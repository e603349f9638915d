"""The page to read and try the API at."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Response, expect

from tests.support.browsing import Visitor

Visit = Callable[..., Visitor]


def test_every_document_is_rendered_without_an_error(visit: Visit) -> None:
    page = visit(viewport={"width": 1280, "height": 900}).open("/api/docs")
    names = page.evaluate("fetch('/api/openapi').then((answer) => answer.json()).then(({items}) => items)")
    assert {"accounts", "activities", "tokendealer"} <= set(names)
    chooser = page.locator("select#select")
    for name in names:
        chooser.select_option(f"/api/openapi/{name}.json")
        expect(page.locator(".info .title")).to_contain_text(f"Runnerly: {name}")
        expect(page.locator(".opblock").first).to_be_visible()
        expect(page.locator(".errors-wrapper")).to_have_count(0)


def test_an_operation_can_be_tried_there(visit: Visit) -> None:
    visitor = visit(viewport={"width": 1280, "height": 900})
    visitor.watch.expected = {401}
    page = visitor.open("/api/docs")
    page.locator("select#select").select_option("/api/openapi/activities.json")
    operation = page.locator("#operations-activities-listActivities")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()

    def is_the_list(response: Response) -> bool:
        return "/api/v1/activities" in response.url

    with page.expect_response(is_the_list) as answered:
        operation.get_by_role("button", name="Execute").click()
    assert answered.value.status == 401
