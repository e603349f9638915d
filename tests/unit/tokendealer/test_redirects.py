"""Where an authorization may be answered, and where never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tokendealer.domain.redirects import answered_at, fault_of, fault_of_all, is_registered, place_of

GOOD = (
    "https://app.example/back",
    "https://app.example:8443/back?who=runnerly",
    "https://app.example",
    "http://127.0.0.1/back",
    "http://127.0.0.1:4180/back",
    "http://[::1]:4180/back",
    "http://localhost:4180/",
    "com.example.app:/back?a=b",
)
BAD = (
    "",
    "/back",
    "http://app.example/back",
    "ftp://app.example/back",
    "javascript:alert(1)",
    "com.example.app://back",
    "com.example.app:back",
    "com.example.app:/back#part",
    "app:/back",
    ".app:/back",
    "Com.example.app:/back",
    "https://app.example/back#part",
    "https://somebody@app.example/back",
    "https://somebody:secret@app.example/back",
    "https://*.app.example/back",
    "https://App.example/back",
    "https://app.example/back\n",
    "https://app.example/ba ck",
    "https://app.example\\@evil.example/",
    "https://app.example/back;\r\nSet-Cookie: a=b",
    'https://app.example/"onload=',
    "https://app.example/a/../b",
    "https://app.example:99999/",
    "https://app.example:0/",
    "https:///back",
    "https://",
    "http://127.0.0.1.evil.example/back",
    "http://127.0.0.1:80@evil.example/",
    "http://localhost.evil.example/",
    "http://0.0.0.0/back",
    "http://127.0.0.2/back",
    "https://app.example/" + "a" * 500,
)


@pytest.mark.parametrize("uri", GOOD)
def test_https_loopback_and_schemes_of_apps_may_be_registered(uri: str) -> None:
    assert fault_of(uri) is None
    assert place_of(uri) in uri


@pytest.mark.parametrize("uri", BAD)
def test_anything_else_may_not(uri: str) -> None:
    assert fault_of(uri)


@given(st.sampled_from(GOOD), st.text(max_size=3), st.integers(0, 60))
def test_one_character_more_is_another_address(uri: str, more: str, place: int) -> None:
    """Nothing is compared by prefix, folded or normalized."""
    changed = uri[:place] + more + uri[place:]
    assert is_registered(changed, [uri], any_port=False) == (changed == uri)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_native_app_may_listen_on_any_port_of_loopback(host: str) -> None:
    known = [f"http://{host}/back", f"http://{host}:1234/other"]
    for uri in (f"http://{host}:5/back", f"http://{host}:65535/back", f"http://{host}/other"):
        assert is_registered(uri, known, any_port=True)
        assert not is_registered(uri, known, any_port=False)
    for uri in (
        f"http://{host}:5/elsewhere",
        f"http://{host}:99999/back",
        f"http://{host}:5@evil.example/back",
        f"https://{host}/back",
        f"http://{host}:5/back?more=1",
    ):
        assert not is_registered(uri, known, any_port=True)


def test_a_scheme_of_its_own_is_for_a_public_app() -> None:
    uris = ["https://app.example/back", "com.example.app:/back"]
    assert fault_of_all(uris, public=True) is None
    fault = fault_of_all(uris, public=False)
    assert fault is not None
    assert fault[0] == 1


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("https://app.example:8443/back?who=//x", "app.example:8443"),
        ("http://[::1]:4180/back", "[::1]:4180"),
        ("com.example.app:/back", "com.example.app"),
    ],
)
def test_a_person_is_told_where_an_answer_goes(uri: str, place: str) -> None:
    assert place_of(uri) == place


def test_the_port_of_any_other_host_counts() -> None:
    assert not is_registered("https://app.example:444/back", ["https://app.example/back"], any_port=True)


def test_an_answer_goes_into_the_query() -> None:
    assert answered_at("https://a.example/b", {"code": "x&y"}) == "https://a.example/b?code=x%26y"
    assert answered_at("https://a.example/b?c=d", {"code": "x"}) == "https://a.example/b?c=d&code=x"
