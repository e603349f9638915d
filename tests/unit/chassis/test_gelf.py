"""GELF as Graylog takes it, over UDP, TCP and TLS, and over networks that fail."""

from __future__ import annotations

import datetime as dt
import ipaddress
import random
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import gelf
from services.chassis.gelf import Address, Datagrams, Graylog, as_gelf, fit
from services.chassis.log_records import Record, _writable, encode
from tests.support.gelf import Chunks, Message, TcpReceiver, UdpReceiver, decode, violations

Connect = Callable[[str], Graylog]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A Graylog that hangs up after the test."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Graylog(url, host="web-1")))


def record(number: int = 0, level: str = "info", exception: str = "", **fields: Any) -> Record:
    return Record(
        1767225600.1234, level, "service.ready", {"service": "activities", "number": number, **fields}, exception
    )


def certificate(folder: Path, *, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graylog.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "graylog.pem", folder / "graylog.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


def tls_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context


@pytest.mark.parametrize("scheme", ["udp", "tcp", "tls"])
def test_a_record_arrives_as_valid_gelf(scheme: str, tmp_path: Path, connect: Connect) -> None:
    certificate_file, key_file = certificate(tmp_path)
    tls = tls_context(certificate_file, key_file) if scheme == "tls" else None
    with UdpReceiver() if scheme == "udp" else TcpReceiver(tls=tls) as receiver:
        options = f"?ca={certificate_file}" if tls else ""
        graylog = connect(receiver.url + options)
        sent = [
            record(0, points=3, share=0.5, flag=True, nothing=None, nested={"a": [1]}, empty=""),
            record(1, "error", "Traceback...\nValueError: x", message="it said\nthis " + "long " * 100),
        ]
        graylog.write(sent)
        first, second = receiver.wait_for(2)
    assert [violations(message) for message in (first, second)] == [[], []]
    assert first == {
        "version": "1.1",
        "host": "web-1",
        "short_message": "service.ready",
        "timestamp": 1767225600.123,
        "level": 6,
        "_event": "service.ready",
        "_service": "activities",
        "_number": 0,
        "_points": 3,
        "_share": 0.5,
        "_flag": "true",
        "_nested": '{"a":[1]}',
    }
    assert second["level"] == 3
    assert second["full_message"] == "Traceback...\nValueError: x"
    assert second["short_message"].startswith("service.ready: it said")
    assert len(second["short_message"]) <= 200


# Any name that code may give a field, as the cleaner hands it on: `id`, which is Graylog's own, never gets this far.
names = (st.just("id") | st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)).map(_writable)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
fields = st.dictionaries(names, values | st.lists(values, max_size=3), max_size=6)


@given(fields=fields, level=st.sampled_from(["debug", "info", "warning", "error", "critical", "trace"]))
def test_any_fields_make_valid_gelf(fields: dict[str, Any], level: str) -> None:
    message = as_gelf(Record(0.5, level, "service.ready", fields), "web-1")
    assert violations(decode(fit(message, 10_000_000))) == []


def test_a_large_message_travels_in_chunks(connect: Connect) -> None:
    noise = random.Random(1).randbytes(40_000).hex()
    with UdpReceiver() as receiver:
        connect(receiver.url).write([record(noise=noise)])
        message = receiver.wait_for(1)[0]
    assert message["_noise"] == noise
    assert 20 < len(receiver.datagrams) <= 128
    assert max(len(datagram) for datagram in receiver.datagrams) <= 1420


def test_a_message_of_over_128_chunks_is_cut_and_marked_but_not_lost(connect: Connect) -> None:
    noise = random.Random(1).randbytes(400_000).hex()
    with UdpReceiver() as receiver:
        connect(receiver.url).write([record(7, noise=noise, exception="short")])
        message = receiver.wait_for(1)[0]
    assert violations(message) == []
    assert message["_truncated"] == 1
    assert message["_number"] == 7
    assert message["full_message"] == "short"
    assert noise.startswith(message["_noise"])
    assert len(message["_noise"]) > 1000


@given(size=st.integers(0, 3000))
def test_whatever_its_size_a_message_is_put_together_again(size: int) -> None:
    """The boundaries of a chunk are where messages get lost."""
    noise = random.Random(size).randbytes(size).hex()
    message = {"short_message": "x", "noise": noise}
    whole = encode(message)
    datagrams = Datagrams("127.0.0.1", 9, chunk_size=97)
    sent: list[bytes] = []
    datagrams.sock = Wire(sent)  # type: ignore[assignment]
    datagrams._made_at = float("inf")
    datagrams.send(whole[: 97 * 128])
    chunks = Chunks()
    put_together = [payload for datagram in sent if (payload := chunks.take(datagram)) is not None]
    assert put_together == [whole[: 97 * 128]]


class Wire:
    """A socket that keeps what is sent."""

    def __init__(self, sent: list[bytes]) -> None:
        self.send = sent.append


def test_over_tcp_a_huge_message_is_cut_below_what_graylog_takes(connect: Connect) -> None:
    with TcpReceiver() as receiver:
        connect(receiver.url).write([record(noise="x" * 3_000_000)])
        message = receiver.wait_for(1)[0]
    assert message["_truncated"] == 1
    assert len(message["_noise"]) < 1_000_000


def test_a_null_in_a_text_does_not_end_the_frame(connect: Connect) -> None:
    with TcpReceiver() as receiver:
        connect(receiver.url).write([record(1, text="a\0b"), record(2)])
        first, second = receiver.wait_for(2)
    assert first["_text"] == "a\0b"
    assert second["_number"] == 2


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_after_graylog_came_back_a_record_arrives_on_a_new_connection(
    scheme: str, tmp_path: Path, connect: Connect
) -> None:
    """The first send after the other side hung up would succeed, into a buffer that nobody reads."""
    tls = tls_context(*certificate(tmp_path)) if scheme == "tls" else None
    first = TcpReceiver(tls=tls)
    graylog = connect(first.url + (f"?ca={tmp_path / 'graylog.pem'}" if tls else ""))
    graylog.write([record(1)])
    graylog.write([record(2)])
    first.wait_for(2)
    assert first.accepted == 1
    first.close()
    with pytest.raises(OSError, match=r"refused|reset|EOF"):
        graylog.write([record(3)])
    with TcpReceiver(first.port, tls=tls) as second:
        graylog.write([record(4)])
        assert [message["_number"] for message in second.wait_for(1)] == [4]


def test_udp_says_when_nobody_listens_and_goes_on_when_somebody_does_again(connect: Connect) -> None:
    receiver = UdpReceiver()
    receiver.close()
    graylog = connect(receiver.url)
    graylog.write([record()])  # the answer to this one comes with the next
    with pytest.raises(ConnectionRefusedError):
        graylog.write([record()])
    with UdpReceiver(receiver.port) as again:
        graylog.write([record(5)])
        assert again.wait_for(1)[0]["_number"] == 5


def test_a_certificate_that_is_not_trusted_or_for_another_host_is_refused(tmp_path: Path, connect: Connect) -> None:
    for folder, host in ((tmp_path / "ours", "127.0.0.1"), (tmp_path / "other", "127.0.0.2")):
        folder.mkdir()
        certificate(folder, host=host)
    other = tls_context(tmp_path / "other/graylog.pem", tmp_path / "other/graylog.key")
    with TcpReceiver(tls=other) as receiver:
        for ca in ("ours", "other"):
            with pytest.raises(ssl.SSLCertVerificationError):
                connect(f"{receiver.url}?ca={tmp_path / ca}/graylog.pem").write([record()])
    assert receiver.messages == []


def test_graylog_can_ask_for_our_certificate(tmp_path: Path, connect: Connect) -> None:
    certificate_file, key_file = certificate(tmp_path)
    asking = tls_context(certificate_file, key_file)
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(certificate_file)
    with TcpReceiver(tls=asking) as receiver:
        connect(f"{receiver.url}?ca={certificate_file}&cert={certificate_file}&key={key_file}").write([record(3)])
        assert receiver.wait_for(1)[0]["_number"] == 3


def test_a_name_without_an_address_is_an_error_that_can_be_tried_again(connect: Connect) -> None:
    for scheme in ("udp", "tcp"):
        with pytest.raises(OSError, match=r"\w"):
            connect(f"{scheme}://graylog.invalid:12201").write([record()])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "graylog:12201",
        "http://graylog:12201",
        "udp://graylog",
        "udp://graylog:12201?ca=x",
        "tls://graylog:1?verify=no",
    ],
)
def test_a_wrong_url_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"GELF_URL must be udp://|Port"):
        Address.parse(url)


def test_an_ipv6_address_can_be_used() -> None:
    assert Address.parse("tcp://[::1]:12201") == Address("tcp", "::1", 12201)


def test_what_the_receiver_refuses() -> None:
    """The check itself: each of these Graylog would take, and show badly or not at all."""
    good: Message = {"version": "1.1", "host": "h", "short_message": "m", "timestamp": 1.5, "level": 6}
    assert violations(good) == []
    bad: list[Message] = [{"version": "1.0"}, {"host": ""}, {"short_message": None}, {"timestamp": "1"}, {"level": 8}]
    worse: list[Message] = [{"_id": "x"}, {"free": 1}, {"_a b": 1}, {"_flag": True}, {"_nested": {}}, {"_none": None}]
    for change in [*bad, *worse]:
        assert violations(good | change), change
    assert gelf.NUMBERS == {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
