"""The forms of the front page let password managers work, and take passwords as they are typed."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.resources import files

PAGE = files("services.dashboard") / "static" / "index.html"


class Inputs(HTMLParser):
    """The attributes of every input of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "input":
            self.found.append(dict(attrs))


def test_passwords_are_masked_and_can_be_pasted_at_any_length() -> None:
    """ASVS 5.0, 6.2.6 to 6.2.8: a `maxlength` would cut off a pasted password without a word."""
    page = Inputs()
    page.feed(PAGE.read_text("utf-8"))
    passwords = [field for field in page.found if "password" in str(field.get("name")).lower()]
    assert len(passwords) >= 3
    for field in passwords:
        assert field["type"] == "password"
        assert field["autocomplete"] in {"current-password", "new-password"}
        assert not {"maxlength", "onpaste", "oncopy", "readonly"} & field.keys()
