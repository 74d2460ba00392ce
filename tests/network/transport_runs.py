"""Runs of a transport over a simulated link, for the tests of transports."""

import math

import numpy as np
from t4vcodec.network.capacity import Constant
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import Route
from t4vcodec.network.transports import (
    MediaFrame,
    make_transport,
)


def clip(frames, packets=4, size=500, deadline=0.4, fps=25.0, keys=()):
    random = np.random.default_rng(frames * 1000 + packets)
    return [
        (
            i / fps,
            MediaFrame(
                i,
                tuple(random.bytes(int(random.integers(size // 2, size + 1))) for _ in range(packets)),
                i / fps + deadline,
                i in keys,
            ),
        )
        for i in range(frames)
    ]


def pair(name, loss="0", back=None, delay=0.05, capacity=None, seed=0, **settings):
    there = Route(capacity or Constant(5000), delay, channel=parse_channel(loss))
    way_back = Route(delay=delay, channel=parse_channel(loss if back is None else back))
    return Pair(*make_transport(name, **settings), there, way_back, clip="transports", seed=seed)


def whole(delivered, frames, late=math.inf):
    """Share of frames all of whose packets came within `late` of their capture."""
    times = {}
    for packet in delivered:
        times.setdefault(packet.frame, []).append(packet.time)
    good = sum(
        len(times.get(f.number, ())) == len(f.packets) and max(times[f.number]) <= at + late
        for at, f in frames
    )
    return good / len(frames)


def sent_datagrams(run):
    """Records (time, datagram) of all that the sender hands to the link."""
    log, send = [], run.forward.send
    run.forward.send = lambda datagram, now: (log.append((now, datagram)), send(datagram, now))
    return log


class Lose:
    """A session that loses the packets with these numbers."""

    def __init__(self, numbers):
        self.numbers, self.at = numbers, -1

    def lost(self, send_time):
        self.at += 1
        return self.at in self.numbers
