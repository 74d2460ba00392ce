"""The rate that follows the network: up to the capacity and near it, without filling the queue."""

import numpy as np
import pytest
from t4vcodec.network.capacity import Constant, Steps
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import Route
from t4vcodec.network.transports import DelayController, MediaFrame, make_transport

FPS = 25


def drive(capacity, loss="0", seconds=40, name="udp", back="0", **settings):
    """An encoder that obeys: (targets, delay of each frame or nan, pair)."""
    sender, receiver = make_transport(name, controller=DelayController(**settings))
    run = Pair(
        sender,
        receiver,
        Route(capacity, 0.05, channel=parse_channel(loss)),
        Route(delay=0.05, channel=parse_channel(back)),
    )
    targets = []
    for i in range(seconds * FPS):
        size = int(sender.target_kbps * 125 / FPS)
        packets = -(-size // 1200)
        payload = bytes(max(1, size // packets - 40))
        run.run([(i / FPS, MediaFrame(i, (payload,) * packets))], until=(i + 1) / FPS - 1e-9)
        targets.append(sender.target_kbps)
    delays = np.full(len(targets), np.nan)
    for packet in run.delivered():
        delays[packet.frame] = np.nanmax([delays[packet.frame], packet.time - packet.frame / FPS])
    return np.array(targets), delays, run


@pytest.mark.parametrize("kbps", [400, 1500])
def test_it_finds_the_capacity_and_keeps_the_queue_short(kbps):
    targets, delays, run = drive(Constant(kbps))
    settled = slice(25 * FPS, None)
    assert 0.75 * kbps < targets[settled].mean() < 1.05 * kbps
    assert np.nanmedian(delays[settled]) < 0.15
    assert run.forward.counts.dropped == 0


def test_it_yields_when_the_capacity_falls_and_comes_back():
    targets, delays, _ = drive(Steps((0, 20, 40), (2000, 500, 2000)), seconds=65)
    assert targets[19 * FPS] > 900
    assert targets[24 * FPS : 39 * FPS].max() < 600
    assert np.nanmedian(delays[26 * FPS : 39 * FPS]) < 0.2
    assert targets[-1] > 1200


def test_losses_lower_the_rate_only_where_they_should():
    obeying, _, _ = drive(Constant(1000), "20%", seconds=25)
    robust, _, _ = drive(Constant(1000), "20%", seconds=25, losses=False)
    few, _, _ = drive(Constant(1000), "1%", seconds=25)
    assert obeying[-1] < 100 < robust[-1]
    assert few[-1] > 700


def test_without_reports_the_rate_stays():
    targets, _, _ = drive(Constant(1000), seconds=5, back="1")
    assert set(targets) == {300.0}


def test_a_link_that_stands_still_ends_in_a_low_rate_not_in_an_endless_queue():
    targets, delays, _ = drive(Steps((0, 10, 13), (1000, 0, 1000)), seconds=40)
    assert targets.min() >= 30
    assert np.nanmedian(delays[-10 * FPS :]) < 0.2


@pytest.mark.parametrize("name", ["fec", "fec-adaptive", "nack", "nack-fec", "hairpin"])
def test_every_transport_over_datagrams_knows_a_rate(name):
    targets, _, _ = drive(Constant(1000), "2%", seconds=20, name=name)
    assert 300 < targets[-1] < 1100


@pytest.mark.parametrize("wrong", [{"start_kbps": 0}, {"least_kbps": 400}, {"most_kbps": 100}])
def test_impossible_bounds_are_refused(wrong):
    with pytest.raises(ValueError, match="kbps"):
        DelayController(**wrong)
