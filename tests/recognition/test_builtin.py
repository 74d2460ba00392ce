"""The built-in recognizer: gradients, order in time, any clip, files."""

from __future__ import annotations

import gc

import numpy as np
import psutil
import pytest
import torch
from small_clips import moving_clip
from t4vcodec.recognition.builtin import builtin_names, load_builtin, save_recognizer
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.network import ActionNetwork
from t4vcodec.recognition.recognizer import load_recognizer


def test_the_gradient_of_a_score_reaches_the_pixels(small):
    clip = torch.rand(30, 3, 60, 72, requires_grad=True)
    scores = small.scores(clip, 25.0)
    assert scores.grad_fn is not None
    assert not small.network.training
    scores[1].backward()
    shown = clip.grad.abs().sum((1, 2, 3))
    # Every second frame at 25 a second is shown to the network.
    assert (shown[::2] > 0).all()
    assert float(clip.grad.abs().max()) > 0


def test_weights_take_no_gradient_and_bytes_build_no_graph(small):
    scores = small.scores(moving_clip(), 12.5)
    assert scores.grad_fn is None
    assert not any(p.requires_grad for p in small.network.parameters())


def test_scores_are_logarithms_of_probabilities(small):
    scores = small.scores(moving_clip(), 12.5)
    assert scores.shape == (3,)
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_the_order_of_frames_matters(small):
    clip = moving_clip(24)
    forward, backward = small.scores(clip, 12.5), small.scores(clip[::-1].copy(), 12.5)
    assert float((forward - backward).abs().max()) > 1e-5


def test_brightness_and_contrast_do_not_matter(small):
    clip = torch.rand(24, 3, 80, 96)
    dark = 0.2 + 0.3 * clip
    assert torch.allclose(small.scores(clip, 12.5), small.scores(dark, 12.5), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (5, 17, 200, 3), (100, 90, 40, 3)])
def test_clips_of_any_length_and_size(small, shape):
    clip = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert torch.isfinite(small.scores(clip, 30.0)).all()


def test_a_black_clip_has_finite_scores_and_gradients(small):
    clip = torch.zeros(6, 3, 80, 80, requires_grad=True)
    scores = small.scores(clip, 12.5)
    scores[0].backward()
    assert torch.isfinite(scores).all()
    assert torch.isfinite(clip.grad).all()


def test_memory_does_not_grow_over_500_clips(small):
    clip = moving_clip(4, 32, 32)

    def used() -> int:
        gc.collect()
        return psutil.Process().memory_info().rss

    for _ in range(60):
        small.scores(clip, 12.5)
    before = used()
    for _ in range(500):
        small.scores(clip, 12.5)
    assert used() - before < 24 << 20


def test_files_give_the_same_scores_in_half_precision(small, small_network, tmp_path):
    path = tmp_path / "r.safetensors"
    save_recognizer(small_network, ("a", "b", "c"), path)
    loaded = load_recognizer(str(path))
    assert loaded.labels == ("a", "b", "c")
    clip = moving_clip(24)
    assert torch.allclose(loaded.scores(clip, 12.5), small.scores(clip, 12.5), atol=0.02)


def test_bad_files_are_refused_in_one_line(tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"x" * 100)
    for name in (str(bad), "builtin:no-such", str(tmp_path / "none.safetensors"), "nothing", "builtin:"):
        with pytest.raises(RecognitionError) as caught:
            load_recognizer(name)
        assert "\n" not in str(caught.value)


def test_another_number_of_labels_is_refused(small_network, tmp_path):
    path = tmp_path / "r.safetensors"
    save_recognizer(small_network, ("a", "b", "c"), path)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(RecognitionError, match="3 classes but 2 labels"):
        load_recognizer(str(path), tmp_path / "labels.txt")


def test_the_network_keeps_to_its_budget():
    assert ActionNetwork(13).parameter_count <= 2_000_000


@pytest.mark.parametrize("name", builtin_names())
def test_packaged_recognizers_load_and_score(name):
    recognizer = load_builtin(name)
    assert recognizer.network.parameter_count <= 2_000_000
    assert torch.isfinite(recognizer.scores(moving_clip(), 25.0)).all()
