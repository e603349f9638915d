"""Sealed values and derived keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.secrets import Secrets, WrongKey, decode_kek, encode_kek, new_kek, read_kek
from services.chassis.settings import ProcessSettings, WrongSetting

KEK = bytes(range(32))


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
        Secrets(new_kek()).open(Secrets(KEK).seal(b"x"))


def test_a_retired_kek_still_opens_and_no_longer_seals() -> None:
    old, new = Secrets(KEK), new_kek()
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
        Secrets(new_kek()).keyed_hash("a", "v"),
    }
    assert len(hashes) == 4
    assert Secrets(KEK).keyed_hash("a", "v") in hashes


def test_a_kek_survives_its_file() -> None:
    kek = new_kek()
    assert decode_kek(encode_kek(kek) + "\n") == kek


@pytest.mark.parametrize("line", ["", "short", "!" * 44, encode_kek(b"x" * 32)[:-4], "ü" * 44])
def test_a_wrong_kek_is_told_without_showing_it(line: str) -> None:
    with pytest.raises(ValueError, match="must be 32 bytes") as caught:
        decode_kek(line)
    assert line == "" or line not in str(caught.value)


def test_a_short_kek_is_refused_and_never_printed() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Secrets(b"short")
    assert KEK.hex() not in repr(Secrets(KEK))


def test_the_kek_is_read_from_home_or_where_it_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "kek").write_text(encode_kek(KEK) + "\n")
    (tmp_path / "elsewhere").write_text(encode_kek(b"k" * 32))
    assert read_kek(ProcessSettings(home=tmp_path)) == KEK
    assert read_kek(ProcessSettings(home=tmp_path, kek_file=tmp_path / "elsewhere")) == b"k" * 32


def test_a_missing_or_broken_kek_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="keys bootstrap"):
        read_kek(ProcessSettings(home=tmp_path))
    (tmp_path / "kek").write_text("rubbish")
    with pytest.raises(WrongSetting, match="RUNNERLY_KEK_FILE"):
        read_kek(ProcessSettings(kek_file=tmp_path / "kek"))
    with pytest.raises(WrongSetting, match="RUNNERLY_KEK_FILE"):
        read_kek(ProcessSettings(kek_file=tmp_path))
