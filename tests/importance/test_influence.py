"""Influence by decoding, and to first order."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from t4vcodec.importance.influence import Influence, first_order, first_order_of_pictures
from t4vcodec.importance.saliency import LinearTarget
from t4vcodec.importance.trace import trace_gradients


def test_influence_is_the_change_of_the_score_by_decoding(video, some, target):
    measure = Influence(video, target)
    here = float(target(video.rgb(video.play(some))))
    packets = [int(np.flatnonzero(some)[3]), int(np.flatnonzero(~some)[2])]
    got = measure.of_each(some, packets)
    for p in packets:
        changed = some.copy()
        changed[p] = not some[p]
        change = float(target(video.rgb(video.play(changed)))) - here
        assert got[p] == pytest.approx(-change if some[p] else change, abs=1e-5)
    assert np.isnan(np.delete(got, packets)).all()


def test_measured_again_after_another_set_it_is_the_same(video, some, target):
    measure = Influence(video, target)
    first = measure.of_each(some, [1, 5])
    measure.of_each(video.everything, [2])
    np.testing.assert_array_equal(measure.of_each(some, [1, 5]), first)


def test_a_set_of_one_is_a_single_and_of_none_is_nothing(video, target):
    measure = Influence(video, target)
    single = measure.of_each(video.everything, [4])[4]
    assert measure.of_set(video.everything, [4]) == pytest.approx(single)
    assert measure.of_set(video.everything, []) == 0


def test_classes_are_scored_on_what_is_shown(video, some, target):
    scores = Influence(video, target).scores(some)
    assert scores.shape == (3,)
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.fixture(scope="session")
def ramp(clean):
    """A score that is linear in the pixels: brightness with smooth weights, other ones in each frame."""
    y, x = np.mgrid[0 : clean.shape[1], 0 : clean.shape[2]] / 20
    weights = [np.sin(x + t / 3) * np.cos(y - t / 5) for t in range(len(clean))]
    return LinearTarget(np.stack([np.stack([w, 0.5 * w, 0.2 * w]) for w in weights]))


@pytest.mark.parametrize("whole", [True, False])
def test_first_order_is_the_truth_where_nothing_bends(video, some, ramp, whole):
    arrived = video.everything if whole else some
    trace = trace_gradients(video, arrived, ramp)
    guess, true = first_order(video, [trace]), Influence(video, ramp).of_each(arrived)
    assert spearmanr(guess, true).statistic > 0.9
    # Packets of the last frame move nothing but its own picture: exact but for rounding to 8 bits.
    last = video.frame_of == video.frames - 1
    assert np.abs(true[last]).max() > 0.1
    np.testing.assert_allclose(guess[last], true[last], atol=0.2 * np.abs(true[last]).max())


def test_packets_of_a_frame_lost_whole_count_by_the_frames_that_follow(video, some, ramp):
    gradient = ramp._gradient.numpy().copy()
    gradient[:5] = 0
    later = LinearTarget(gradient)
    mine = np.flatnonzero(video.frame_of == 4)
    guess = first_order(video, [trace_gradients(video, some, later)])[mine]
    true = Influence(video, later).of_each(some, mine)[mine]
    assert (guess != 0).all()
    assert np.abs(guess - true).max() < 0.5 * np.abs(true).max()


def test_the_first_order_of_pictures_is_exact_on_linear_scores(video, some, ramp):
    """It decodes, so references bend nothing; a target that gives no gradient by itself is asked for one."""

    class Asked(LinearTarget):
        recognizer = None

        def gradient(self, clip):
            return self._gradient.numpy()

    asked = Asked(ramp._gradient.numpy())
    measure = Influence(video, asked)
    packets = [0, 3, 9, 12]
    np.testing.assert_allclose(
        first_order_of_pictures(measure, some, packets)[packets],
        measure.of_each(some, packets)[packets],
        rtol=1e-3,
        atol=1e-3,
    )


def test_several_traces_give_the_mean_of_their_gradients(video, some, target):
    traces = [trace_gradients(video, some, target), trace_gradients(video, video.everything, target)]
    both = first_order(video, traces)
    same = first_order(video, [traces[0]] * 3)
    np.testing.assert_allclose(same, first_order(video, traces[:1]), rtol=1e-4, atol=1e-9)
    assert not np.allclose(both, same)


def test_packets_of_a_real_network_are_ordered_better_than_by_chance(video, target):
    everything = video.everything
    guess = first_order(video, [trace_gradients(video, everything, target)])
    true = Influence(video, target).of_each(everything)
    assert spearmanr(guess, true).statistic > 0.5
