"""A sent video shows what a decoder shows, of any part of it."""

import numpy as np
import pytest
from t4vcodec.codec import Decoder
from t4vcodec.codec.packets import PacketError
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.media import to_rgb
from t4vcodec.network.stream import HEADER_BYTES


def decoded(video, sent, setup, arrived):
    """(T, H, W, 3) of `Decoder`, fed with the packets of a set."""
    decoder = Decoder(setup, colour=video.colour)
    numbers = iter(range(len(arrived)))
    pictures = []
    for frame, packets in enumerate(sent):
        pictures += decoder.push([p for p in packets if arrived[next(numbers)]])
        pictures += decoder.close(until=frame)
    return np.stack([to_rgb(picture) for picture in pictures])


@pytest.mark.parametrize(("seed", "loss"), enumerate([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))
def test_any_set_is_shown_bit_for_bit_as_by_the_decoder(video, sent, setup, seed, loss):
    arrived = np.random.default_rng(seed).random(len(video.frame_of)) >= loss
    np.testing.assert_array_equal(video.rgb(video.play(arrived)), decoded(video, sent, setup, arrived))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_spared_changes_nothing(video, seed):
    random = np.random.default_rng(seed)
    base = random.random(len(video.frame_of)) >= 0.2
    shown = video.play(base)
    changed = base.copy()
    changed[random.integers(0, len(base), seed)] ^= True
    spared = video.play(changed, shown)
    np.testing.assert_array_equal(video.rgb(spared), video.rgb(video.play(changed)))
    # And again on top of that.
    np.testing.assert_array_equal(video.rgb(video.play(base, spared)), video.rgb(shown))


def test_the_same_set_is_not_decoded_twice(video):
    shown = video.play(video.everything)
    assert video.play(video.everything, shown) is shown


def test_frames_before_the_first_difference_are_shared(video):
    shown = video.play(video.everything)
    changed = video.everything
    changed[video.first_of[6]] = False
    spared = video.play(changed, shown)
    assert all(a is b for a, b in zip(spared.pictures[:6], shown.pictures))
    assert spared.pictures[6] is not shown.pictures[6]


def test_frames_that_are_not_asked_for_stay_black(video):
    shown = video.play(video.everything)
    some, whole = video.rgb(shown, [2, 5]), video.rgb(shown)
    np.testing.assert_array_equal(some[[2, 5]], whole[[2, 5]])
    assert not some[[0, 1, 3, 4, 6, 7, 8, 9]].any()


def test_packets_are_numbered_frame_by_frame_with_their_bytes(video, sent):
    assert len(video.frame_of) == sum(map(len, sent)) == video.first_of[-1]
    assert (np.diff(video.frame_of) >= 0).all()
    assert video.sizes.sum() == sum(len(p) + HEADER_BYTES for frame in sent for p in frame)


def test_the_order_of_a_frames_packets_does_not_matter(video, sent, setup):
    turned = SentVideo.parse(setup, [frame[::-1] for frame in sent], video.colour)
    np.testing.assert_array_equal(turned.sizes, video.sizes)


@pytest.mark.parametrize(
    "arrived",
    [np.ones(3, bool), np.ones((2, 2), bool), [1.0, 0.0], None],
    ids=["short", "flat", "floats", "none"],
)
def test_what_is_no_set_of_these_packets_is_refused(video, arrived):
    with pytest.raises(ImportanceError, match="a set of packets: expected"):
        video.play(arrived)


def test_what_is_no_video_is_refused(setup, sent):
    with pytest.raises(ImportanceError, match="no frames"):
        SentVideo.parse(setup, [])
    with pytest.raises(ImportanceError, match="no frames"):
        SentVideo.encode([], setup, 60)
    with pytest.raises(PacketError):
        SentVideo.parse(setup, [[sent[0][0][:-1]]])
