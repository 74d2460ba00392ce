"""A path through the real kernel's TCP: namespaces, tbf for the rate, a relay here for loss and delay.

::

    sender A  --veth--  router R  --tbf--  TUN | relay | TUN  receiver B

The sender's packets meet the bottleneck in another namespace, so that their own host's queue does not slow them (a
local full queue tells TCP at once, a router's only by loss). The relay reads whole IP packets from one TUN device,
passes them through `link.Link` in real time, which loses by a channel's session and delays, and writes them to the
other; the way back likewise. Frames are written to an ordinary socket at their times and read from another one.
No netem is needed. Needs root, Linux, `ip` and `tc`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import selectors
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from t4vcodec.errors import T4VError
from t4vcodec.network.capacity import TokenBucket
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.link import Link, Route
from t4vcodec.network.transports.base import MediaFrame, media_packets
from t4vcodec.network.transports.tcp_wire import RecordReader, write_record

SEGMENT_BYTES = 1200
"""Payload of a TCP segment: the devices' largest packet less 20 of IP, 20 of TCP, 12 of time stamps."""
BURST_BYTES = 1600
PORT = 5001
_SET_INTERFACE, _TUN, _NO_INFO = 0x400454CA, 0x0001, 0x1000
_NEW_NETWORK = 0x40000000


class KernelLabError(T4VError):
    """The lab cannot be built on this machine."""


@dataclass(frozen=True)
class Setting:
    """One path and the video on it."""

    kbps: float
    """Rate of the bottleneck."""
    delay: float
    """Propagation one way, seconds; the same back."""
    loss: str
    """A channel's spelling; both ways lose by it, independently."""
    video_kbps: float
    fps: float = 25.0
    queue_bytes: int = 64_000
    window: str = "cubic"
    """Congestion control: ``reno`` or ``cubic``."""
    seed: int = 0

    def routes(self) -> tuple[Route, Route]:
        """The same path for the simulator, there and back."""
        channel = parse_channel(self.loss)
        bucket = TokenBucket(self.kbps, BURST_BYTES)
        return Route(bucket, self.delay, self.queue_bytes, channel), Route(delay=self.delay, channel=channel)

    def frames(self, seconds: float) -> list[tuple[float, MediaFrame]]:
        """Frames of equal size, with their times from 0."""
        size = round(125 * self.video_kbps / self.fps)
        packets = -(-size // SEGMENT_BYTES)
        payload = bytes(size // packets)
        count = round(seconds * self.fps)
        return [(i / self.fps, MediaFrame(i, (payload,) * packets)) for i in range(count)]


def missing() -> str | None:
    """Why the lab cannot be built here; None where it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root"
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            return f"needs the program {tool} (package iproute2)"
    if not Path("/dev/net/tun").exists():
        return "needs /dev/net/tun"
    try:
        with _names("t4vprobe") as (name,):
            _ip(f"-n {name} link set lo up")
            _run(f"tc -n {name} qdisc add dev lo root tbf rate 1mbit burst 1600 limit 3000")
    except KernelLabError as error:
        return str(error)
    return None


def _run(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise KernelLabError(f"'{command}' failed: {lines[-1]}")


def _ip(arguments: str) -> None:
    _run(f"ip {arguments}")


@contextmanager
def _names(*names: str) -> Iterator[list[str]]:
    """Network namespaces for a while; their names are made unique."""
    unique = [f"{name}{os.getpid()}" for name in names]
    made = []
    try:
        for name in unique:
            _ip(f"netns add {name}")
            made.append(name)
        yield unique
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@contextmanager
def _inside(name: str) -> Iterator[None]:
    """This thread in a namespace: what is opened there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), _NEW_NETWORK):
            raise KernelLabError(f"cannot enter namespace {name}: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), _NEW_NETWORK)


def _open_tun(namespace: str, device: str) -> int:
    with _inside(namespace):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, _SET_INTERFACE, struct.pack("16sH22x", device.encode(), _TUN | _NO_INFO))
    return descriptor


@dataclass
class _Path:
    """One built path with its sockets; `serve` moves what is due."""

    setting: Setting
    near: int
    """TUN of the router."""
    far: int
    """TUN of the receiver."""
    listener: socket.socket
    sender: socket.socket
    there: Link
    back: Link
    reader: RecordReader = field(default_factory=RecordReader)
    receiver: socket.socket | None = None
    pending: bytearray = field(default_factory=bytearray)
    finished: dict[int, list[float]] = field(default_factory=dict)
    """Arrival times of each frame's packets."""

    def serve(self, now: float) -> None:
        for source, link, sink in ((self.near, self.there, self.far), (self.far, self.back, self.near)):
            for packet in _packets(source):
                if packet[0] >> 4 == 4:  # devices speak IPv6 unasked
                    link.send(packet, now)
            for arrived in link.poll(now):
                os.write(sink, arrived.datagram)
        if self.receiver is None:
            try:
                self.receiver, _ = self.listener.accept()
                self.receiver.setblocking(False)
            except BlockingIOError:
                pass
        else:
            self._read(now)
        self._write()

    def _read(self, now: float) -> None:
        try:
            while data := self.receiver.recv(65536):
                for packet in self.reader.feed(data, now):
                    self.finished.setdefault(packet.frame, []).append(now)
        except BlockingIOError:
            pass

    def _write(self) -> None:
        try:
            while self.pending:
                del self.pending[: self.sender.send(self.pending)]
        except OSError:
            pass  # not connected yet, or the socket is full: the next call tries again

    def next_wakeup(self) -> float:
        return min(self.there.next_wakeup(), self.back.next_wakeup())

    @property
    def connected(self) -> bool:
        return self.receiver is not None

    def close(self) -> None:
        for opened in (self.listener, self.sender, self.receiver):
            if opened is not None:
                opened.close()
        os.close(self.near)
        os.close(self.far)


@contextmanager
def _before_others() -> Iterator[None]:
    """Priority for this process: a relay that waits for its turn adds delay that is not the network's."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


def _packets(descriptor: int) -> Iterator[bytes]:
    try:
        while True:
            yield os.read(descriptor, 2048)
    except BlockingIOError:
        return


def _build(setting: Setting, a: str, r: str, b: str) -> _Path:
    mtu = SEGMENT_BYTES + 52
    near, far = _open_tun(r, "tun0"), _open_tun(b, "tun0")
    _ip(f"-n {a} link add v0 mtu {mtu} type veth peer name v0 netns {r}")
    for name, device, address in (
        (a, "v0", "10.77.1.1/24"),
        (r, "v0", "10.77.1.2/24"),
        (r, "tun0", "10.77.2.1/24"),
        (b, "tun0", "10.77.2.2/24"),
    ):
        _ip(f"-n {name} addr add {address} dev {device}")
        _ip(f"-n {name} link set {device} mtu {mtu} up")
    _ip(f"-n {a} route add default via 10.77.1.2")
    _ip(f"-n {b} route add default via 10.77.2.1")
    _run(f"ip netns exec {r} sysctl -q -w net.ipv4.ip_forward=1")
    _run(f"ip netns exec {a} sysctl -q -w net.ipv4.tcp_no_metrics_save=1")
    rate = f"rate {setting.kbps:g}kbit burst {BURST_BYTES} limit {setting.queue_bytes}"
    _run(f"tc -n {r} qdisc add dev tun0 root tbf {rate}")
    with _inside(b):
        listener = socket.socket()
        listener.bind(("10.77.2.2", PORT))
        listener.listen(1)
        listener.setblocking(False)
    with _inside(a):
        sender = socket.socket()
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, setting.window.encode())
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender.setblocking(False)
        sender.connect_ex(("10.77.2.2", PORT))
    channel = parse_channel(setting.loss)
    there = Link(delay=setting.delay, losses=channel.session("kernel", setting.seed))
    back = Link(delay=setting.delay, losses=channel.session("kernel feedback", setting.seed))
    return _Path(setting, near, far, listener, sender, there, back)


def kernel_delays(settings: Sequence[Setting], seconds: float, patience: float = 30.0) -> list[list[float]]:
    """Runs all settings at once for `seconds`; for each the delays of its frames, in order, in seconds.

    Frames that have not arrived `patience` seconds after the last was sent count as infinitely late. Raises
    `KernelLabError` where the lab cannot be built, or a connection is not made in that time.
    """
    with _names(*(f"t4v{i}{part}" for i in range(len(settings)) for part in "arb")) as names:
        paths: list[_Path] = []
        try:
            for i, setting in enumerate(settings):
                paths.append(_build(setting, *names[3 * i : 3 * i + 3]))
            with _before_others():
                return _drive(paths, seconds, patience)
        finally:
            for path in paths:
                path.close()


def _drive(paths: list[_Path], seconds: float, patience: float) -> list[list[float]]:
    # select() waits to the microsecond, epoll to the millisecond.
    with selectors.SelectSelector() as selector:
        for path in paths:
            for source in (path.near, path.far, path.listener):
                selector.register(source, selectors.EVENT_READ, path)
        start = time.monotonic()

        def until(moment: float) -> float:
            """Serves once; the time after."""
            wake = min(moment, *(path.next_wakeup() for path in paths))
            ready = selector.select(max(0.0, min(0.05, wake - time.monotonic())))
            now = time.monotonic()
            touched = {id(key.data) for key, _ in ready}
            for path in paths:
                if id(path) in touched or path.pending or path.next_wakeup() <= now:
                    path.serve(time.monotonic())
            return time.monotonic()

        while not all(path.connected for path in paths):
            if until(start + patience) > start + patience:
                raise KernelLabError("a connection through the kernel was not made in time")
        for path in paths:
            selector.register(path.receiver, selectors.EVENT_READ, path)
        start = time.monotonic() + 0.1
        plan = sorted(
            ((at, i, frame) for i, path in enumerate(paths) for at, frame in path.setting.frames(seconds)),
            key=lambda entry: entry[:2],
        )
        for at, i, frame in plan:
            while until(start + at) < start + at:
                pass
            for packet in media_packets(frame):
                paths[i].pending += write_record(packet)
            paths[i].serve(time.monotonic())
        end = time.monotonic() + patience
        while until(end) < end and not all(_complete(path, seconds) for path in paths):
            pass
    return [
        [
            max(path.finished[frame.number]) - start - at
            if len(path.finished.get(frame.number, ())) == len(frame.packets)
            else float("inf")
            for at, frame in path.setting.frames(seconds)
        ]
        for path in paths
    ]


def _complete(path: _Path, seconds: float) -> bool:
    return sum(map(len, path.finished.values())) == sum(
        len(frame.packets) for _, frame in path.setting.frames(seconds)
    )
