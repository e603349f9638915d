"""Sealed values and derived keys."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.secrets import KeyFile, Secrets, WrongKey, new_key, read_secrets
from services.chassis.settings import ProcessSettings, WrongSetting

KEK, HASHING = bytes(range(32)), b"h" * 32


def line_of(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode() + "\n"


@given(plain=st.binary(max_size=500), bound_to=st.text(max_size=20))
def test_what_is_sealed_opens_again(plain: bytes, bound_to: str) -> None:
    secrets = Secrets(KEK)
    assert secrets.open(secrets.seal(plain, bound_to=bound_to), bound_to=bound_to) == plain


@given(position=st.integers(0, 1000), flip=st.integers(1, 255))
def test_a_changed_byte_anywhere_does_not_open(position: int, flip: int) -> None:
    sealed = bytearray(Secrets(KEK).seal(b"a signing key", bound_to="kid"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(WrongKey):
        Secrets(KEK).open(bytes(sealed), bound_to="kid")


@pytest.mark.parametrize("rubbish", [b"", b"\x01", b"\x01" * 20, b"\x01" * 60])
def test_rubbish_does_not_open(rubbish: bytes) -> None:
    with pytest.raises(WrongKey):
        Secrets(KEK).open(rubbish)


def test_a_sealed_value_can_not_be_moved_to_another_place() -> None:
    sealed = Secrets(KEK).seal(b"a signing key", bound_to="kid-1")
    with pytest.raises(WrongKey, match="something else"):
        Secrets(KEK).open(sealed, bound_to="kid-2")


def test_another_kek_says_so() -> None:
    with pytest.raises(WrongKey, match="another key-encryption key"):
        Secrets(new_key()).open(Secrets(KEK).seal(b"x"))


def test_a_retired_kek_still_opens_and_no_longer_seals() -> None:
    old, new = Secrets(KEK), new_key()
    both = Secrets(new, KEK)
    assert both.open(old.seal(b"x")) == b"x"
    with pytest.raises(WrongKey):
        old.open(both.seal(b"x"))


def test_sealing_twice_gives_two_values() -> None:
    secrets = Secrets(KEK)
    assert secrets.seal(b"x") != secrets.seal(b"x")


def test_each_purpose_has_a_key_of_its_own_that_stays() -> None:
    assert Secrets(KEK).derive("cookies") == Secrets(KEK).derive("cookies")
    assert len({Secrets(KEK).derive("cookies"), Secrets(KEK).derive("tombstones"), KEK}) == 3


def test_keyed_hashes_differ_by_purpose_value_and_key() -> None:
    hashes = {
        Secrets(KEK).keyed_hash("a", "v"),
        Secrets(KEK).keyed_hash("b", "v"),
        Secrets(KEK).keyed_hash("a", "w"),
        Secrets(new_key()).keyed_hash("a", "v"),
    }
    assert len(hashes) == 4
    assert Secrets(KEK).keyed_hash("a", "v") in hashes


def test_keys_for_a_purpose_outlive_the_kek() -> None:
    before, after = Secrets(KEK, hashing=HASHING), Secrets(new_key(), hashing=HASHING)
    assert before.derive("cookies") == after.derive("cookies") != Secrets(KEK).derive("cookies")
    assert before.keyed_hash("a", "v") == after.keyed_hash("a", "v")


def test_it_is_seen_which_kek_sealed() -> None:
    old, new = Secrets(KEK), Secrets(HASHING, KEK)
    assert [new.is_current(box.seal(b"x")) for box in (old, new)] == [False, True]
    assert not new.is_current(b"")


@given(keks=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4))
def test_keys_survive_their_file(keks: list[bytes]) -> None:
    keys = KeyFile(tuple(keks), HASHING)
    assert KeyFile.parse(keys.text()) == keys
    assert KeyFile.parse(keys.text().replace("\n", "\n\n").rstrip()) == keys


def test_the_keys_of_a_new_file_have_nothing_to_do_with_each_other() -> None:
    fresh = KeyFile.fresh()
    assert len({*fresh.keks, fresh.hashing}) == 2


def test_a_file_of_before_there_was_a_hashing_key_derives_what_it_derived() -> None:
    assert KeyFile.parse(line_of(KEK)) == KeyFile((KEK,), KEK)
    assert KeyFile.parse(line_of(HASHING) + line_of(KEK)) == KeyFile((HASHING, KEK), KEK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "!" * 44,
        line_of(b"x" * 32)[:-5],
        "\xfc" * 44,
        "hashing " + line_of(KEK),
        f"{line_of(KEK)}hashing {line_of(KEK)}hashing {line_of(HASHING)}",
        f"{line_of(KEK)}hashing\n",
        f"{line_of(KEK)}sealing {line_of(HASHING)}",
    ],
)
def test_a_wrong_file_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(A key must be 32 bytes|The file of keys has)") as caught:
        KeyFile.parse(text)
    assert all(word not in str(caught.value) for word in text.split() if len(word) > 10)


def test_a_short_key_is_refused_and_none_is_ever_printed() -> None:
    for keys in ((b"short",), (KEK, b"short")):
        with pytest.raises(ValueError, match="32 bytes"):
            Secrets(*keys)
    with pytest.raises(ValueError, match="32 bytes"):
        Secrets(KEK, hashing=b"short")
    assert KEK.hex() not in repr(Secrets(KEK))


def test_the_keys_are_read_from_home_or_where_they_are_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "kek").write_text(line_of(KEK))
    (tmp_path / "elsewhere").write_text(line_of(HASHING))
    assert read_secrets(ProcessSettings(home=tmp_path)).derive("a") == Secrets(KEK).derive("a")
    elsewhere = ProcessSettings(home=tmp_path, kek_file=tmp_path / "elsewhere")
    assert read_secrets(elsewhere).derive("a") == Secrets(HASHING).derive("a")


def test_a_kek_that_was_added_since_opens_and_does_not_seal(tmp_path: Path) -> None:
    path, added = tmp_path / "kek", KeyFile((new_key(), KEK), KEK)
    path.write_text(line_of(KEK))
    running = read_secrets(ProcessSettings(kek_file=path))
    sealed = Secrets(*added.keks).seal(b"x", bound_to="y")
    with pytest.raises(WrongKey):
        running.open(sealed, bound_to="y")
    path.write_text("just being written")
    with pytest.raises(WrongKey):
        running.open(sealed, bound_to="y")

    path.write_text(added.text())
    assert running.open(sealed, bound_to="y") == b"x"
    assert Secrets(KEK).open(running.seal(b"x")) == b"x"
    path.unlink()
    assert running.open(sealed, bound_to="y") == b"x"


def test_a_missing_or_broken_file_of_keys_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="keys bootstrap"):
        read_secrets(ProcessSettings(home=tmp_path))
    (tmp_path / "kek").write_text("rubbish")
    with pytest.raises(WrongSetting, match="RUNNERLY_KEK_FILE"):
        read_secrets(ProcessSettings(kek_file=tmp_path / "kek"))
    with pytest.raises(WrongSetting, match="RUNNERLY_KEK_FILE"):
        read_secrets(ProcessSettings(kek_file=tmp_path))
