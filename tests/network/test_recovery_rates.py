"""How often codes recover: against exact probabilities, and against RaptorQ."""

import itertools
import math

import numpy as np
import pytest
from t4vcodec.network.channels import GilbertElliott, parse_channel
from t4vcodec.network.fec import Protection, protect

K, N = 10, 20
TRIALS = 3000
CHANNELS = ["0.3", "ge:0.3:5", "ge:0.3:3", "tambur", "0.5"]


def loss_counts(channel, packets):
    """Exact probabilities that 0, 1, ... of so many packets are lost."""
    if not isinstance(channel, GilbertElliott):
        p = channel.mean_loss
        return np.array([math.comb(packets, i) * p**i * (1 - p) ** (packets - i) for i in range(packets + 1)])
    bad = channel.to_bad / (channel.to_bad + channel.to_good)
    losses = np.array([channel.loss_good, channel.loss_bad])
    change = np.array([[1 - channel.to_bad, channel.to_bad], [channel.to_good, 1 - channel.to_good]])
    chance = np.zeros((packets + 1, 2))  # [losses so far, state]
    chance[0] = 1 - bad, bad
    for _ in range(packets):
        after = chance * (1 - losses)
        after[1:] += chance[:-1] * losses
        chance = after @ change
    return chance.sum(axis=1)


def blocks_of_fates(name, packets=N):
    """(TRIALS, packets) fates, each row a session of its own, so that rows are independent in bursts too."""
    channel = parse_channel(name)
    return np.array(
        [list(itertools.islice(channel.fates("rates", seed), packets)) for seed in range(TRIALS)], bool
    )


def test_the_programme_agrees_with_the_binomial():
    chain = GilbertElliott("", 0.3, to_bad=0.3, to_good=0.7)  # without memory
    assert loss_counts(chain, N) == pytest.approx(loss_counts(parse_channel("0.3"), N), abs=1e-12)
    assert loss_counts(parse_channel("ge:0.3:5"), N).sum() == pytest.approx(1)
    assert loss_counts(parse_channel("ge:0.3:5"), N) @ np.arange(N + 1) == pytest.approx(0.3 * N)


def packets_of(random, frames=1):
    return [tuple(random.bytes(int(random.integers(1, 30))) for _ in range(K)) for _ in range(frames)]


@pytest.mark.parametrize("name", CHANNELS)
def test_reed_solomon_recovers_as_often_as_the_formula_says(name):
    frames = packets_of(np.random.default_rng(0))
    sent = protect(frames, [True], 25, Protection("rs", 1.0))
    assert len(sent.packets) == N
    lost = blocks_of_fates(name)
    whole = np.array([sent.recovered(row)[0] == tuple(frames) for row in lost])
    assert (whole == sent.recovered_count(lost)[:, 0]).all()
    expected = loss_counts(parse_channel(name), N)[: N - K + 1].sum()
    assert abs(whole.mean() - expected) <= 3 * math.sqrt(expected * (1 - expected) / TRIALS)


def test_blocks_of_one_long_session():
    """As a clip is sent: one sequence of fates, a block of four frames after the other."""
    frames = packets_of(np.random.default_rng(1), frames=1200)
    sent = protect(frames, [False] * 1200, 25, Protection("rs", 0.5, 4))
    lost = np.fromiter(parse_channel("0.3").fates("long", 0), bool, len(sent.packets))
    whole = np.array([a == b for a, b in zip(sent.recovered(lost)[0], frames)]).reshape(-1, 4).all(axis=1)
    # All four are whole if the block decodes; else some media packet is missing, since parity counts 20.
    expected = loss_counts(parse_channel("0.3"), 60)[:21].sum()
    assert abs(whole.mean() - expected) <= 3 * math.sqrt(expected * (1 - expected) / len(whole))


@pytest.mark.parametrize("name", ["0.3", "0.5", "ge:0.3:5"])
def test_a_streaming_code_of_one_frame_is_nearly_ideal(name):
    """Misses of Reed-Solomon it misses too; with just enough packets it fails in 1 of 255 cases."""
    frames = packets_of(np.random.default_rng(2))
    lost = blocks_of_fates(name)
    ideal = protect(frames, [True], 25, Protection("rs", 1.0)).recovered_count(lost)[:, 0]
    ours = protect(frames, [True], 25, Protection("streaming", 1.0)).recovered_count(lost)[:, 0]
    assert not (ours & ~ideal).any()
    just_enough = (lost.sum(axis=1) == K).mean()
    assert (ideal & ~ours).mean() <= 3 * just_enough / 255 + 0.001


@pytest.mark.parametrize("name", ["0.3", "0.5", "ge:0.3:5"])
def test_raptorq_agrees(name):
    """RFC 6330 promises failure in at most 1 of 100 cases with just K symbols: a margin of 1 % in all."""
    raptorq = pytest.importorskip("raptorq", reason="RaptorQ is part of the test extra")
    symbol = 64
    data = np.random.default_rng(3).bytes(K * symbol)
    packets = raptorq.Encoder.with_defaults(data, symbol).get_encoded_packets(N - K)
    assert len(packets) == N
    lost = blocks_of_fates(name)
    ideal = protect(packets_of(np.random.default_rng(3)), [True], 25, Protection("rs", 1.0)).recovered_count(
        lost
    )[:, 0]
    theirs = np.zeros(TRIALS, bool)
    for trial, row in enumerate(lost):
        decoder = raptorq.Decoder.with_defaults(len(data), symbol)
        answers = (decoder.decode(packet) for packet, gone in zip(packets, row) if not gone)
        theirs[trial] = any(answer == data for answer in answers)
    assert not (theirs & ~ideal).any()
    assert ideal.mean() - theirs.mean() <= 0.01
