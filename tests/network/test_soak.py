"""Hours of changing loss, rate and delay in virtual time: nothing drifts, leaks, grows or is counted twice.

Minutes of it run always; a whole day with ``pytest -m slow tests/network/test_soak.py``.
"""

import math
import pickle

import numpy as np
import pytest
from t4vcodec.network.capacity import Steps
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import Route
from t4vcodec.network.transports import NAMES, DelayController, MediaFrame, make_transport

PHASE = 20.0
CALM = 60.0
LOSSES = ["0", "1%", "5%", "10%", "ge:0.1:5", "30%", "get:0.1:200"]
CAPACITY = Steps((0, 300, 303, 500, 700), (2000, 0, 500, 5000, 1000), period=900)


def soak(name, seconds, seed, fps):
    """Runs a transport; (calm delays at the start, at the end, sizes of its state at intervals, the pair)."""
    random = np.random.default_rng(seed)
    settings = {} if name.startswith("tcp") else {"controller": DelayController()}
    run = Pair(
        *make_transport(name, **settings), Route(CAPACITY, 0.05), Route(delay=0.05), clip="soak", seed=seed
    )
    number, seen, sizes, calm = 0, set(), [], []

    def phase(until, loss, delay):
        nonlocal number
        for link, way in ((run.forward, "there"), (run.backward, "back")):
            link.losses = parse_channel(loss).session(f"{way} {number}", seed)
            link.delay = delay
        frames = []
        while number / fps < until:
            payload = number.to_bytes(4, "big") * 75
            frames.append((number / fps, MediaFrame(number, (payload, payload), number / fps + 0.4)))
            number += 1
        run.run(frames, until)
        delays = []
        for packet in run.delivered():
            assert packet.data == packet.frame.to_bytes(4, "big") * 75
            key = (packet.frame, packet.index)
            assert key not in seen
            seen.add(key)
            delays.append(packet.time - packet.frame / fps)
        # Only copies of what is younger than a receiver's memory can be told here without growing ourselves.
        if len(seen) > 20_000:
            for old in sorted(seen)[:10_000]:
                seen.discard(old)
        return delays

    calm.append(phase(CALM, "0", 0.05)[-100:])
    while run.now < seconds - 3 * CALM:
        phase(run.now + PHASE, random.choice(LOSSES), float(random.choice([0.005, 0.02, 0.05, 0.12, 0.25])))
        if number // int(PHASE * fps) % 5 == 0:
            sizes.append(len(pickle.dumps((run.sender, run.receiver, run.forward, run.backward))))
    for _ in range(3):
        last = phase(run.now + CALM, "0", 0.05)
    calm.append(last[-100:])
    run.run((), run.now + 2000)
    run.delivered()
    return *calm, sizes, run


def check(name, seconds, seed, fps):
    first, last, sizes, run = soak(name, seconds, seed, fps)
    assert run.next_wakeup() == math.inf
    for link in (run.forward, run.backward):
        counts = link.counts
        assert counts.sent == counts.delivered + counts.lost + counts.dropped
        assert (link.pending, link.queued_bytes) == (0, 0)
    assert (run.sender.foreign, run.receiver.foreign) == (0, 0)
    assert np.median(last) < 1.2 * np.median(first)
    half = len(sizes) // 2
    assert max(sizes[half:]) < 1.5 * max(sizes[:half]) + 100_000


@pytest.mark.parametrize("name", NAMES)
def test_minutes(name):
    check(name, 400.0, seed=1, fps=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_day(name):
    check(name, 86_400.0, seed=2, fps=4.0)
