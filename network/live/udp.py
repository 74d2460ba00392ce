"""UDP sockets of live sessions: addresses as users write them, errors in words."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from t4vcodec.errors import T4VError

Address = tuple[str, int]
RECEIVE_BUFFER = 1 << 20  # bytes; a busy machine must not lose what the network did not


class LiveError(T4VError):
    """An address or a port that can not be used."""


def parse_url(text: str, *, listening: bool = False) -> Address:
    """Host and port of ``udp://HOST:PORT``; listening: ``udp://:PORT`` for every address. Raises LiveError."""
    example = "udp://:5004" if listening else "udp://127.0.0.1:5004"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise LiveError(f"{text!r}: not an address with a port from 1 to 65535; write {example}") from None
    if url.scheme != "udp" or not port or url.path or url.query or url.username:
        raise LiveError(f"{text!r}: not an address; write {example}")
    host = url.hostname or ""
    if not host and not listening:
        raise LiveError(f"{text!r}: no host; write {example}")
    return host or "0.0.0.0", port


def datagram_socket(local: Address | None = None, remote: Address | None = None) -> socket.socket:
    """A UDP socket, bound or connected. Raises LiveError with what to do."""
    host, port = local or remote
    place = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (socket.gaierror, UnicodeError):
        raise LiveError(f"{host}: no such host; check the name") from None
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if local is not None:
            opened.bind(address)
        else:
            opened.connect(address)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise LiveError(
                f"port {port} is in use: end the program that has it, or choose another"
            ) from None
        if error.errno == errno.EADDRNOTAVAIL and local is not None:
            raise LiveError(f"{host} is no address of this machine: write udp://:{port}") from None
        raise LiveError(f"{place} can not be reached: {error.strerror}; check the address") from None
    return opened


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def unreachable(error: OSError) -> bool:
    """Whether the network says that there is no way to a host; a host where nobody listens is reachable."""
    return error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM)


class Port(asyncio.DatagramProtocol):
    """A socket's traffic: `received` gets each datagram with its source, `failed` what the network says."""

    def __init__(
        self, received: Callable[[bytes, Address], None], failed: Callable[[OSError], None] | None = None
    ) -> None:
        self._received = received
        self._failed = failed
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, opened: socket.socket, *callbacks: Callable) -> Port:
        """Serve a socket of `datagram_socket` in the running loop."""
        port = cls(*callbacks)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: port, sock=opened)
        return port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple) -> None:
        self._received(data, (address[0], address[1]))

    def error_received(self, error: Exception) -> None:
        if self._failed is not None and isinstance(error, OSError):
            self._failed(error)

    def send(self, data: bytes, address: Address | None = None) -> None:
        """Send a datagram; what the operating system can not take now is lost, as it may be on the way."""
        if self._transport.get_write_buffer_size() < 1 << 18:
            self._transport.sendto(data, address)

    def close(self) -> None:
        self._transport.close()
