"""Channels: spellings, statistics with fixed seeds, and that fates depend on (clip, seed) alone."""

import doctest
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.errors import T4VError
from t4vcodec.network import channels
from t4vcodec.network.channels import ChannelError, parse_channel, parse_channels
from t4vcodec.network.stream import SentPacket, carry

N = 100_000
GOLDEN = {"0.3": "01000011000110000000111000000010", "ge:0.3:5": "00000000000111100000000000000000"}


def fates(text: str, seed: int = 0, n: int = N, clip: str = "clip") -> np.ndarray:
    return np.fromiter(itertools.islice(parse_channel(text).fates(clip, seed), n), bool, n)


def bursts(lost: np.ndarray) -> np.ndarray:
    """Lengths of the runs of losses."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_doctest():
    assert doctest.testmod(channels).failed == 0


@pytest.mark.parametrize(
    ("text", "name", "loss"),
    [
        ("0", "0", 0),
        ("0.3", "0.3", 0.3),
        (" 30% ", "0.3", 0.3),
        ("1", "1", 1),
        ("ge:0.30:5", "ge:0.3:5", 0.3),
        ("ge:30%:2.5", "ge:0.3:2.5", 0.3),
        ("get:0.3:40", "get:0.3:40", 0.3),
        ("teleop", "teleop", 0.06),
        ("tambur", "tambur", 0.074),
    ],
)
def test_spellings(text, name, loss):
    channel = parse_channel(text)
    assert channel.name == name
    assert channel.mean_loss == pytest.approx(loss, abs=1e-4)
    assert parse_channel(channel.name) == channel


BAD = """x -0.1 1.1 30 nan inf 1e400 ge ge:0.3 ge:0.3:0.5 ge:0:5 ge:1:5 ge:0.9:2 ge:a:5 ge:0.3:5:1 ge:nan:5
get:0.3:0 get:0.3:-4 get:2:40 no/such/file . mahimahi mahimahi:100 mahimahi:100:no/such/file mahimahi:0:x"""


@pytest.mark.parametrize("text", ["", *BAD.split()])
def test_bad_spellings(text):
    with pytest.raises(ChannelError) as error:
        parse_channel(text)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, T4VError)


@given(st.text(max_size=20))
def test_any_text_parses_or_raises_the_documented_error(text):
    try:
        channel = parse_channel(text.replace("/", ""))
    except ChannelError:
        return
    assert parse_channel(channel.name) == channel


@given(st.floats(0, 1), st.floats(1, 100))
def test_bursty_spellings_round_trip(loss, burst):
    try:
        channel = parse_channel(f"ge:{loss!r}:{burst!r}")
    except ChannelError:
        return
    assert parse_channel(channel.name).name == channel.name
    assert channel.mean_loss == pytest.approx(loss, rel=1e-5)


def test_list_keeps_order_and_drops_repetitions():
    assert [c.name for c in parse_channels("0.3,10%,ge:0.3:5,0.30")] == ["0.3", "0.1", "ge:0.3:5"]
    with pytest.raises(ChannelError):
        parse_channels("0.1,,0.3")


def test_independent_statistics():
    lost = fates("0.3")
    assert lost.mean() == pytest.approx(0.3, abs=0.006)  # 4 standard deviations
    assert np.corrcoef(lost[1:], lost[:-1])[0, 1] == pytest.approx(0, abs=0.013)
    assert not fates("0", n=1000).any()
    assert fates("1", n=1000).all()


@pytest.mark.parametrize("burst", [1.5, 3, 5, 10])
def test_gilbert_elliott_statistics(burst):
    lost = fates(f"ge:0.3:{burst}")
    assert lost.mean() == pytest.approx(0.3, abs=0.004 * np.sqrt(2 * burst))
    lengths = bursts(lost)
    assert lengths.mean() == pytest.approx(burst, rel=0.05)
    # Geometric lengths: the share of bursts of a single packet is 1 / mean.
    assert (lengths == 1).mean() == pytest.approx(1 / burst, abs=0.03)


def test_chains_start_stationary():
    first = [next(parse_channel("ge:0.3:10").fates("clip", seed)) for seed in range(4000)]
    assert np.mean(first) == pytest.approx(0.3, abs=0.03)
    first = [parse_channel("get:0.3:400").session("clip", seed).lost(0.0) for seed in range(4000)]
    assert np.mean(first) == pytest.approx(0.3, abs=0.03)


def test_tambur_statistics():
    assert fates("tambur").mean() == pytest.approx(0.074, abs=0.005)


def test_timed_bursts():
    channel = parse_channel("get:0.3:40")
    session = channel.session("clip", 1)
    lost = np.array([session.lost(0.001 * i) for i in range(2 * N)])
    assert lost.mean() == pytest.approx(0.3, abs=0.02)
    assert bursts(lost).mean() == pytest.approx(40, rel=0.06)
    # Sending at ten times the packet rate changes nothing about when the channel is bad.
    session = channel.session("clip", 1)
    dense = np.array([session.lost(0.0001 * i) for i in range(N)])
    assert (dense[::10] == lost[: N // 10]).all()
    with pytest.raises(ChannelError):
        next(channel.fates("clip", 1))


def test_fates_depend_on_clip_and_seed_only():
    for text in ("0.3", "ge:0.3:5", "tambur"):
        assert (fates(text, 0, 500) == fates(text, 0, 500)).all()
        assert (fates(text, 0, 500) != fates(text, 1, 500)).any()
        assert (fates(text, 0, 500) != fates(text, 0, 500, clip="other")).any()


def test_what_a_lighter_channel_loses_a_heavier_loses_too():
    assert not (fates("0.1") & ~fates("0.3")).any()


def test_fates_are_the_same_in_another_process():
    code = (
        "import itertools; from t4vcodec.network.channels import parse_channel as p;"
        "print([int(x) for x in itertools.islice(p('ge:0.3:5').fates('clip', 3), 64)])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == str(fates("ge:0.3:5", 3, 64).astype(int).tolist())


def test_golden_fates():
    """Published figures rest on these sequences: they must never change."""
    assert "".join("01"[x] for x in fates("0.3", 0, 32, "foreman")) == GOLDEN["0.3"]
    assert "".join("01"[x] for x in fates("ge:0.3:5", 0, 32, "foreman")) == GOLDEN["ge:0.3:5"]


def test_trace(tmp_path):
    path = tmp_path / "trace.txt"
    path.write_text("0\n0\n1\n1\n1\n")
    channel = parse_channel(str(path))
    assert channel.mean_loss == 0.6
    lost = fates(str(path), 0, 10)
    assert (lost[:5] == lost[5:]).all()
    assert lost.sum() == 6
    assert {tuple(fates(str(path), seed, 5)) for seed in range(40)} == {
        tuple(np.roll([0, 0, 1, 1, 1], i).astype(bool)) for i in range(5)
    }
    path.write_text("0\n1\n")
    assert parse_channel(str(path)).identity != channel.identity


@pytest.mark.parametrize("content", [b"", b"0\n2\n", b"0 1\n", b"\xff\xfe", b"0\n\n1\n"])
def test_bad_trace(tmp_path, content):
    path = tmp_path / "trace.txt"
    path.write_bytes(content)
    with pytest.raises(ChannelError, match=r"trace\.txt"):
        parse_channel(str(path))


def test_mahimahi_outages(tmp_path):
    path = tmp_path / "link.up"
    path.write_text("0\n10\n10\n20\n120\n130\n1000\n")
    channel = parse_channel(f"mahimahi:50:{path}")
    # Gaps of 100 and 870 ms, and all but their last 50 ms are lost.
    assert channel.mean_loss == pytest.approx((50 + 820) / 1000)
    assert parse_channel(channel.name) == channel
    assert parse_channel(f"mahimahi:900:{path}").mean_loss == 0
    session = channel.session("clip", 0)
    lost = np.array([session.lost(i / 1000) for i in range(20_000)])
    assert lost.mean() == pytest.approx(0.87, abs=0.002)
    assert (lost[:1000] == lost[1000:2000]).all()
    assert set(bursts(lost)[1:-1]) == {50, 820}
    starts = [parse_channel(channel.name).session("clip", seed).lost(0.0) for seed in range(2000)]
    assert np.mean(starts) == pytest.approx(0.87, abs=0.03)
    with pytest.raises(ChannelError, match="send times"):
        next(channel.fates("clip", 0))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", ""),
        (b"0\n", ""),
        (b"5\n4\n", "line 2"),
        (b"1\n2.5\n", "line 2"),
        (b"x\n", "line 1"),
        (b"\xff", ""),
    ],
)
def test_bad_mahimahi_trace(tmp_path, content, line):
    path = tmp_path / "link.up"
    path.write_bytes(content)
    with pytest.raises(ChannelError, match=rf"link\.up.*{line}"):
        parse_channel(f"mahimahi:100:{path}")


def test_teleop_states_its_round_trip():
    assert parse_channel("teleop").round_trip == 0.240
    assert parse_channel("0.06").round_trip is None


def test_carry_asks_once_for_each_packet():
    packets = [SentPacket(b"x", i, i / 25) for i in range(200)]
    channel = parse_channel("0.3")
    lost = [fate.lost for fate in carry(packets, channel.session("c", 0))]
    assert lost == list(itertools.islice(channel.fates("c", 0), 200))


def test_packets_are_checked():
    assert SentPacket(b"abc", 0, 0.0).wire_bytes == 43
    for bad in (b"", bytes(1201)):
        with pytest.raises(ValueError, match="payload"):
            SentPacket(bad, 0, 0.0)
    with pytest.raises(ValueError, match="frame"):
        SentPacket(b"x", -1, 0.0)
