"""The decoder's session: order, duplicates, late packets, frames that never come, hostile input."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from t4vcodec.codec import Decoder, Encoder, Packet, PacketError, Setup
from t4vcodec.codec.decoder import HISTORY, MAX_AHEAD
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import HEADER, MAX_PAYLOAD, FrameHeader, serialise
from t4vcodec.codec.state import DecoderState
from t4vcodec.media import Colour, Frame


def feed(decoder: Decoder, frames: Sequence[Sequence[Packet]]) -> list:
    """Push frame by frame, close each in time; every picture given out."""
    pictures = []
    for number, packets in enumerate(frames):
        pictures += decoder.push(packets)
        pictures += decoder.close(number)
    return pictures


def thinned(clip, loss: float, seed: int) -> list[list[Packet]]:
    rng = np.random.default_rng(seed)
    return [[p for p in packets if rng.random() >= loss] for packets in clip.packets]


@pytest.mark.parametrize("seed", range(4))
def test_order_and_duplicates_within_a_frame_do_not_matter(clip, states_equal, seed):
    rng = np.random.default_rng(seed)
    plain, wild = Decoder(clip.setup), Decoder(clip.setup)
    for number, packets in enumerate(thinned(clip, 0.2, seed)):
        plain.push(packets)
        plain.close(number)
        shuffled = (
            [packets[i] for i in rng.integers(0, len(packets), 3 * len(packets))] + packets if packets else []
        )
        rng.shuffle(shuffled)
        for p in shuffled:
            wild.push([bytes(p)])
        wild.close(number)
        assert states_equal(plain.state, wild.state)


def test_a_frame_lost_whole_is_made_again_by_the_motion_after_it(monkeypatch):
    """The scene moves faster and faster: the lost motion lies between those before and after it."""
    noise = np.random.default_rng(5).integers(0, 256, (16, 40)).astype(np.uint8)
    big = noise.repeat(4, 0).repeat(4, 1)
    shift = [0, 2, 4, 6, 10, 16]
    frames = []
    for i, x in enumerate(shift):
        y = big[:, x : x + 96]
        frames.append(Frame(y, y[::2, ::2], y[::2, ::2], i / 25, Colour()))
    setup = Setup(96, 64)
    encoder = Encoder(setup, quality=20, threads=1)
    sent = [encoder.push(f) for f in frames]
    sent[4] = []

    def error() -> float:
        decoder = Decoder(setup)
        return float((feed(decoder, sent)[-1].y.astype(float) - frames[-1].y).var())

    with_hindsight = error()
    monkeypatch.setattr("t4vcodec.codec.state._look_back", lambda state, *_: state)
    assert with_hindsight < 0.5 * error()


@pytest.mark.parametrize("seed", range(4))
def test_late_packets_mend(clip, states_equal, seed):
    """Held back by up to HISTORY frames, every packet still counts."""
    rng = np.random.default_rng(seed)
    frames = thinned(clip, 0.1, seed + 50)
    in_time, late = Decoder(clip.setup), Decoder(clip.setup)
    waiting: list[tuple[int, Packet]] = []
    mended = False
    for number, packets in enumerate(frames):
        in_time.push(packets)
        in_time.close(number)
        waiting += [(number + int(rng.integers(0, HISTORY)) * int(rng.random() < 0.4), p) for p in packets]
        due = [p for when, p in waiting if when <= number]
        waiting = [(when, p) for when, p in waiting if when > number]
        rng.shuffle(due)
        late.push(due)
        late.close(number)
        mended = mended or late.state != in_time.state
    late.push([p for _, p in waiting])
    assert mended  # there was something to mend
    assert states_equal(late.state, in_time.state)


def test_what_is_too_late_changes_nothing(clip, states_equal):
    frames = [list(packets) for packets in clip.packets]
    held = frames[2].pop()
    decoder = Decoder(clip.setup)
    feed(decoder, frames[: 2 + HISTORY + 1])
    before = decoder.state
    assert decoder.push([held]) == []
    assert states_equal(decoder.state, before)
    # One frame earlier it would have counted.
    decoder = Decoder(clip.setup)
    feed(decoder, frames[: 2 + HISTORY])
    before = decoder.state
    decoder.push([held])
    assert decoder.state != before


def test_the_state_is_a_value(clip):
    a, b = Decoder(clip.setup), Decoder(clip.setup)
    feed(a, clip.packets[:5])
    feed(b, clip.packets[:5])
    assert a.state == b.state
    assert hash(a.state) == hash(b.state)
    kept = a.state
    feed(a, clip.packets[5:6])
    assert kept == b.state
    assert a.state != kept
    lossy = Decoder(clip.setup)
    feed(lossy, [*clip.packets[:4], clip.packets[4][1:]])
    assert lossy.state != b.state


@pytest.mark.parametrize("which", ["clip", "starved"])
@pytest.mark.parametrize("loss", [0.0, 0.3, 0.7, 1.0])
def test_a_picture_for_every_frame_number(which, loss, request):
    coded = request.getfixturevalue(which)
    decoder = Decoder(coded.setup)
    for number, packets in enumerate(thinned(coded, loss, 3)):
        pictures = decoder.push(packets) + decoder.close(number)
        assert len(pictures) == 1
        assert (pictures[0].width, pictures[0].height) == (coded.setup.width, coded.setup.height)
        assert pictures[0].time == pytest.approx(number / 25)
    assert decoder.next_frame == len(coded.packets)


def test_frames_lost_whole_are_filled_in_when_a_later_one_arrives(clip):
    decoder = Decoder(clip.setup)
    decoder.push(clip.packets[0])
    pictures = decoder.push(clip.packets[7])
    assert [round(p.time * 25) for p in pictures] == [1, 2, 3, 4, 5, 6, 7]


def test_a_complete_frame_is_given_out_at_once(clip):
    decoder = Decoder(clip.setup)
    for packets in clip.packets[:4]:
        for packet in packets[:-1]:
            assert decoder.push([packet]) == []
        assert len(decoder.push(packets[-1:])) == 1


def test_a_first_frame_that_never_comes(clip):
    decoder = Decoder(clip.setup)
    grey = decoder.close(0)[0]
    assert (grey.y == 128).all()
    # The rest decodes: moved grey, and what residual there is.
    assert len(feed(decoder, [[], *clip.packets[1:]])) == len(clip.packets) - 1


def test_close_takes_time_forward_only(clip):
    decoder = Decoder(clip.setup)
    assert len(decoder.close(4)) == 5
    assert decoder.close(4) == []
    assert decoder.close(-1) == []
    assert decoder.next_frame == 5


def test_a_picture_stands_when_nothing_comes_for_long(clip, pictures_equal):
    decoder = Decoder(clip.setup)
    feed(decoder, clip.packets[:10])
    decoder.close(30)
    stood = decoder.state.last
    decoder.close(60)
    assert pictures_equal(decoder.state.last, stood)


def test_frame_numbers_wrap(make_clip):
    """16 bits on the wire: 65,535 is followed by 0, with packets late across the border."""
    setup = Setup(16, 16)
    frames = make_clip(16, 16, 8)
    encoder = Encoder(setup, quality=25)
    start = 65532
    encoder._number = start - 1  # an encoder that has run for long
    packets = [encoder.push(f) for f in frames]
    assert [p[0].frame for p in packets] == [65532, 65533, 65534, 65535, 0, 1, 2, 3]
    decoder = Decoder(setup)
    decoder._state = DecoderState(number=start - 1)  # 44 minutes of nothing
    pictures = []
    for i, p in enumerate(packets):
        pictures += decoder.push(p) if i != 3 else decoder.close(start + 3)
    assert len(pictures) == 8
    assert [round(p.time * 25) for p in pictures] == list(range(start, start + 8))
    assert decoder.state.number == start + 7
    decoder.push(packets[3])  # late, from before the wrap
    y = decoder.state.last.y
    assert (y == encoder.reconstruction.y).all()


def renumbered(packet: Packet, number: int) -> Packet:
    return replace(packet, header=replace(packet.header, number=number & 0xFFFF))


def test_jumps_are_limited(clip):
    packet = clip.packets[1][0]
    decoder = Decoder(clip.setup)
    for number in (MAX_AHEAD + 1, 2000, 0x7FFF):
        with pytest.raises(PacketError, match="ahead"):
            decoder.push([renumbered(packet, number)])
        assert decoder.next_frame == 0
    number = MAX_AHEAD - (MAX_AHEAD - 1) % packet.header.count  # the same packet map
    assert len(decoder.push([renumbered(packet, number)])) == number
    assert decoder.next_frame == number


def test_the_past_is_ignored_without_a_word(clip):
    decoder = Decoder(clip.setup)
    for number in (0x8000, 0xFFFF):
        assert decoder.push([renumbered(clip.packets[1][0], number)]) == []
    assert decoder.next_frame == 0


def test_an_error_leaves_the_decoder_usable(clip, states_equal):
    plain, disturbed = Decoder(clip.setup), Decoder(clip.setup)
    pictures = 0
    for packets in clip.packets:
        plain.push(packets)
        broken = bytes(packets[0])[:-1] + b"?"
        with pytest.raises(PacketError):
            disturbed.push([broken, *packets, b"", b"\xff" * 50])
        pictures += len(disturbed.push([]))  # withheld by the error, not lost
        assert states_equal(plain.state, disturbed.state)
    assert pictures == len(clip.packets)


def test_packets_of_one_frame_must_agree(clip):
    decoder = Decoder(clip.setup)
    a, b = clip.packets[0][:2]
    decoder.push([a])
    with pytest.raises(PacketError, match="disagree"):
        decoder.push([replace(b, header=replace(b.header, quality=63 - b.header.quality))])
    decoder.push([b])


@st.composite
def hostile(draw: st.DrawFn, clip) -> bytes:
    """Arbitrary bytes, mutated packets, and packets with a right check sum around anything."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=60))
    packets = clip.packets[draw(st.integers(0, len(clip.packets) - 1))]
    packet = packets[draw(st.integers(0, len(packets) - 1))]
    if kind == 1:
        return bytes(packet)
    payload = bytearray(packet.payload)
    for _ in range(draw(st.integers(0, 3))):
        payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
    header = packet.header
    if kind == 3:
        half = draw(st.booleans())
        distance = draw(st.integers(0, 31))
        header = FrameHeader(
            number=header.number + draw(st.integers(-3, 3)) & 0xFFFF,
            count=draw(st.integers(1, 4 if half else 12)),
            quality=draw(st.integers(0, 63)),
            distance=distance,
            long=distance == 0 or draw(st.booleans()),
            copies=draw(st.booleans()),
            half=half,
        )
    index = min(packet.index, header.count - 1)
    return bytes(Packet(header, index, bytes(payload)[: MAX_PAYLOAD - HEADER], packet.salt))


@settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_pushed_only_the_documented_error_comes_out(clip, data):
    decoder = Decoder(clip.setup)
    given_out = 0
    for item in data.draw(st.lists(hostile(clip), max_size=25)):
        try:
            given_out += len(decoder.push([item]))
        except PacketError:
            given_out += len(decoder.push([]))
    given_out += len(decoder.close(decoder.next_frame))
    assert given_out == decoder.next_frame
    assert len(feed(Decoder(clip.setup), clip.packets[:1])) == 1


def test_valid_symbols_that_no_encoder_sends(valid_symbols):
    """Random streams of every class at both sizes, decoded with losses: a picture each, in range."""
    setup = Setup(80, 48)
    tables = load_tables(setup.model)
    rng = np.random.default_rng(0)
    decoder = Decoder(setup)
    for number in range(40):
        distance = int(rng.integers(0, 20)) if rng.random() < 0.8 else 0
        header = FrameHeader(
            number=number,
            count=int(rng.integers(1, 6)),
            quality=int(rng.integers(0, 64)),
            distance=distance,
            long=distance == 0 or bool(rng.random() < 0.3),
            copies=bool(rng.random() < 0.5),
            half=number // 10 % 2 == 1,
        )
        symbols, copies = valid_symbols(header, setup, tables, number)
        packets = serialise(header, symbols, copies, header.map(setup), tables, setup.salt)
        fitting = [p for p in packets if len(p) <= MAX_PAYLOAD and rng.random() < 0.8]
        pictures = decoder.push(fitting) + decoder.close(number)
        assert len(pictures) == 1
        y = decoder.state.last.y
        assert bool(((y >= 0) & (y <= 255) & (y == y.round())).all())


def test_half_size_pictures_are_enlarged_at_any_size(make_clip, pictures_equal):
    """Up to 16x16 the padded sizes of both scales are the same."""
    setup = Setup(16, 16)
    encoder, decoder = Encoder(setup, quality=5), Decoder(setup)
    encoder._half = True
    (picture,) = decoder.push(encoder.push(make_clip(16, 16, 1)[0]))
    assert pictures_equal(decoder.state.last, encoder.reconstruction)
    expected = encoder.reconstruction.enlarged(16, 16).to_frame(16, 16, 0.0, picture.colour)
    assert (picture.y == expected.y).all()
