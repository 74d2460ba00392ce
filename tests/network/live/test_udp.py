"""Addresses as users write them, and sockets whose errors say what to do."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.network.live.udp import LiveError, datagram_socket, free_port, parse_url, unreachable


def test_addresses():
    assert parse_url("udp://example.org:5004") == ("example.org", 5004)
    assert parse_url("udp://[::1]:5004") == ("::1", 5004)
    assert parse_url("udp://:5004", listening=True) == ("0.0.0.0", 5004)
    assert parse_url("udp://127.0.0.1:9", listening=True) == ("127.0.0.1", 9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:5004",
        "tcp://127.0.0.1:5004",
        "udp://127.0.0.1",
        "udp://127.0.0.1:0",
        "udp://127.0.0.1:70000",
        "udp://127.0.0.1:many",
        "udp://:5004",
        "udp://[::1:5004",
        "udp://host:5004/path",
        "udp://me@host:5004",
        "udp://host:5004?ttl=2",
    ],
)
def test_other_addresses_are_refused_in_one_line(text):
    with pytest.raises(LiveError) as caught:
        parse_url(text)
    assert "udp://127.0.0.1:5004" in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text):
    for url in (text, f"udp://{text}"):
        try:
            host, port = parse_url(url, listening=True)
        except LiveError:
            continue
        assert host
        assert 0 < port < 65536


def test_a_port_in_use():
    with (
        datagram_socket(local=("127.0.0.1", 0)) as first,
        pytest.raises(LiveError, match="in use: end the program that has it, or choose another"),
    ):
        datagram_socket(local=first.getsockname())


def test_an_address_of_somebody_else():
    with pytest.raises(LiveError, match="no address of this machine"):
        datagram_socket(local=("192.0.2.1", free_port()))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "..", "\ud800"])
def test_a_host_without_address(host):
    with pytest.raises(LiveError, match="no such host"):
        datagram_socket(remote=(host, 5004))


def test_nobody_listening_is_not_unreachable():
    assert unreachable(OSError(errno.EHOSTUNREACH, "No route to host"))
    assert unreachable(OSError(errno.ENETUNREACH, "Network is unreachable"))
    assert not unreachable(OSError(errno.ECONNREFUSED, "Connection refused"))
    assert not unreachable(OSError(errno.ENOBUFS, "No buffer space"))
