"""E-mail addresses: what is taken, and which spellings are one mailbox."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.chassis.addresses import Address, parse_address
from services.chassis.problems import Invalid


@pytest.mark.parametrize(
    ("typed", "mailbox", "text"),
    [
        ("kim@runnerly.test", "kim@runnerly.test", "kim@runnerly.test"),
        ("  Kim.Lou+race@Runnerly.TEST ", "Kim.Lou+race@runnerly.test", "Kim.Lou+race@runnerly.test"),
        ("zoë@exämple.de", "zoë@xn--exmple-cua.de", "zoë@exämple.de"),
        ("o'neil@runnerly.test", "o'neil@runnerly.test", "o'neil@runnerly.test"),
        ("走る@例え.jp", "走る@xn--r8jz45g.jp", "走る@例え.jp"),
    ],
)
def test_what_people_have_is_taken(typed: str, mailbox: str, text: str) -> None:
    address = parse_address(typed)

    assert (address.mailbox, address.text) == (mailbox, text)


@pytest.mark.parametrize(
    "typed",
    [
        "", "kim", "kim@", "@runnerly.test", "kim@localhost", "kim@127.0.0.1", "kim@[127.0.0.1]", "kim@runnerly..test",
        "kim@-runnerly.test", ".kim@runnerly.test", "kim.@runnerly.test", "k..m@runnerly.test", "kim lou@runnerly.test",
        '"kim lou"@runnerly.test', "kim@lou@runnerly.test", "kim@runnerly.test.", "kim@runnerly_.test",
        "kim@runnerly.test\r\nBcc: all@runnerly.test", "kim\n@runnerly.test", "kim\x00@runnerly.test",
        "kim\u200b@runnerly.test", "kim\u2028@runnerly.test", "Kim <kim@runnerly.test>", "kim,lou@runnerly.test",
        "k" * 65 + "@runnerly.test", "kim@" + "a." * 130 + "test", "kim@" + "a" * 64 + ".test", "\udc80@runnerly.test",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_address(typed, "contact.email")

    assert refused.value.errors[0].field == "contact.email"


@pytest.mark.parametrize(
    "other", ["KIM@runnerly.test", "kim@RUNNERLY.test", " kim@runnerly.test", "\uff4bim@runnerly.test"]
)
def test_two_spellings_of_one_mailbox_have_one_key(other: str) -> None:
    assert parse_address(other).key == parse_address("kim@runnerly.test").key


@pytest.mark.parametrize("other", ["kim+1@runnerly.test", "k.im@runnerly.test", "k\u0131m@runnerly.test"])
def test_different_mailboxes_have_different_keys(other: str) -> None:
    assert parse_address(other).key != parse_address("kim@runnerly.test").key


ANY_TEXT = st.text(max_size=40)
LIKELY = st.builds("{}@{}.test".format, st.text(min_size=1, max_size=12), st.text("abcäßİ-1", min_size=1, max_size=8))


def taken(typed: str) -> Address | None:
    try:
        return parse_address(typed)
    except Invalid:
        return None


@example("\u00af@0.a")  # a macron: folded, a space with a mark on it
@example("\ufdfa" * 20 + "@0.a")  # folded, each is eighteen letters
@given(st.one_of(ANY_TEXT, LIKELY))
def test_whatever_is_taken_is_safe_in_a_header_and_stays_the_same(typed: str) -> None:
    address = taken(typed)
    if address is None:
        return

    assert not set(address.mailbox) & set('\r\n\0 <>,;:"\\()[]')
    assert parse_address(address.mailbox) == address
    assert parse_address(address.text) == address
    again = parse_address(address.key)
    assert again.key == address.key
