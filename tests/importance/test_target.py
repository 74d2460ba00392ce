"""The score that importance is about."""

import numpy as np
import pytest
import torch
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.target import SCORES, Target, log_odds, margin


def test_log_odds_are_those_of_the_probability():
    scores = torch.tensor([1.0, -0.5, 0.3, 2.0]).double().log_softmax(0)
    for wanted in range(4):
        p = scores[wanted].exp()
        assert float(log_odds(scores, wanted)) == pytest.approx(float(torch.log(p / (1 - p))))


def test_log_odds_do_not_saturate_where_probability_does():
    sure, surer = (torch.tensor([x, 0.0, 0.0]).log_softmax(0) for x in (25.0, 30.0))
    assert float(sure[0].exp()) == float(surer[0].exp())
    assert float(log_odds(surer, 0) - log_odds(sure, 0)) == pytest.approx(5, abs=1e-3)


def test_the_margin_is_above_nothing_exactly_where_the_class_is_first():
    random = torch.Generator().manual_seed(0)
    for _ in range(50):
        scores = torch.randn(5, generator=random).log_softmax(0)
        for wanted in range(5):
            assert (float(margin(scores, wanted)) > 0) == (int(scores.argmax()) == wanted)


def test_the_class_named_on_the_clean_clip_is_the_target(recognizer, clean):
    target = Target.of_clean(recognizer, clean, 25, "margin")
    assert float(target(clean)) > 0
    assert target.wanted == int(recognizer.scores(clean, 25).argmax())


@pytest.mark.parametrize("kind", SCORES)
def test_gradients_are_those_of_the_score(recognizer, clean, kind):
    target = Target.of_clean(recognizer, clean, 25, kind)
    gradient = torch.from_numpy(target.gradient(clean))
    assert gradient.shape == (len(clean), 3, *clean.shape[1:3])
    step = 1e-3 * gradient / gradient.norm()
    pixels = torch.from_numpy(clean).permute(0, 3, 1, 2).float() / 255
    change = float(target(pixels + step) - target(pixels - step))
    assert change == pytest.approx(2e-3 * float(gradient.norm()), rel=0.05)


def test_frames_that_are_not_seen_have_no_gradient(target, clean):
    seen = target.frames_seen(len(clean))
    unseen = [t for t in range(len(clean)) if t not in seen]
    assert seen
    assert unseen
    gradient = np.abs(target.gradient(clean)).sum((1, 2, 3))
    assert (gradient[seen] > 0).all()
    assert not gradient[unseen].any()


def test_what_can_not_be_scored_is_refused(recognizer):
    with pytest.raises(ImportanceError, match="unknown score 'loss'"):
        Target(recognizer, 0, 25, "loss")
    with pytest.raises(ImportanceError, match="classes 0 to 2, not 3"):
        Target(recognizer, 3, 25)

    class Closed:
        name, labels, differentiable = "closed", ("a", "b"), False

    with pytest.raises(ImportanceError, match="gives no logits"):
        Target(Closed(), 0, 25, "logit")
    assert Target(Closed(), 0, 25).frames_seen(7) is None
