"""The predictor: probabilities for every packet, the same live and afterwards, files that are checked."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from t4vcodec.codec import Encoder, Setup
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.features import MAPS, SCALARS, FrameFeatures, features_of
from t4vcodec.importance.predictor import (
    FORMAT,
    ImportanceNetwork,
    Predictor,
    load_predictor,
    predictor_names,
    save_predictor,
)
from t4vcodec.importance.predictor_study import PredictorSettings, study_predictor
from t4vcodec.importance.sent_video import SentVideo


def network_of(seed: int = 0) -> ImportanceNetwork:
    torch.manual_seed(seed)
    network = ImportanceNetwork()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(torch.rand_like(buffer) + (0.5 if name.endswith("deviation") else 0))
    return network.eval()


@pytest.fixture
def predictor():
    return Predictor("mine", network_of(), (1.0, 0.5, -1.0))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=40)
def test_numpy_and_torch_agree(rows, columns, packets, seed):
    packets = min(packets, rows * columns)
    random = np.random.default_rng(seed)
    features = FrameFeatures(
        random.normal(size=(len(MAPS), rows, columns)).astype(np.float32),
        random.normal(size=(packets, len(SCALARS))).astype(np.float32),
        (np.arange(rows * columns) % packets).astype(np.uint8),
    )
    network = network_of(seed)
    with torch.no_grad():
        expected = network(
            torch.from_numpy(features.maps)[None],
            torch.from_numpy(features.scalars),
            torch.from_numpy(features.packet.astype(np.int64))[None],
        )
    mine = Predictor("mine", network)
    assert np.allclose(mine.of_frame(features), mine.calibrated(expected.numpy()), atol=1e-5)


def test_frames_together_are_as_frames_alone(video, predictor):
    frames = list(features_of(video))
    shape = frames[0].maps.shape[1:]
    assert all(f.maps.shape[1:] == shape for f in frames)
    with torch.no_grad():
        out = predictor.network(
            torch.from_numpy(np.stack([f.maps for f in frames])),
            torch.from_numpy(np.concatenate([f.scalars for f in frames])),
            torch.from_numpy(
                np.stack([f.packet.astype(np.int64) + n for f, n in zip(frames, video.first_of)])
            ),
        )
    assert np.allclose(predictor.calibrated(out.numpy()), predictor.of_video(video), atol=1e-5)


def test_every_packet_has_a_probability(video, predictor):
    chances = predictor.of_video(video)
    assert chances.shape == (len(video.frame_of),)
    assert ((chances > 0) & (chances < 1)).all()
    assert chances.std() > 0


def test_live_it_says_the_same_as_afterwards(frames, setup, predictor):
    encoder, watcher = Encoder(setup, kbps=60, threads=1), predictor.watch(setup)
    sent, live = [], []
    for frame in frames:
        packets = encoder.push(frame)
        sent.append([bytes(p) for p in packets])
        live.append(watcher.next(encoder.coded, encoder.reconstruction, packets))
    assert np.array_equal(np.concatenate(live), predictor.of_video(SentVideo.parse(setup, sent)))


def test_it_looks_at_no_later_frame(setup, sent, video, predictor):
    short = SentVideo.parse(setup, sent[:5])
    assert np.array_equal(predictor.of_video(short), predictor.of_video(video)[: short.first_of[-1]])


def test_a_file_brings_it_back(tmp_path, video, predictor):
    path = tmp_path / "mine.safetensors"
    save_predictor(predictor, path, {"sets": "none"})
    back = load_predictor(str(path))
    assert back.name == "mine"
    assert path.stat().st_size < 40_000
    # Kernels are kept in half precision.
    assert np.allclose(back.of_video(video), predictor.of_video(video), atol=5e-3)


def test_a_predictor_for_another_model_says_so(video):
    other = Predictor("mine", network_of(), model="t4v-other")
    with pytest.raises(ImportanceError, match=r"for model t4v-other, not t4v-classic: train one"):
        other.of_video(video)
    with pytest.raises(ImportanceError, match="t4v-other"):
        other.watch(Setup(64, 48))


def test_a_video_of_another_codec_says_so(predictor):
    with pytest.raises(ImportanceError, match="our codec's symbols"):
        predictor.of_video("an x264 stream")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "t4v-actions-1"}, "holds no predictor"),
        ({"maps": json.dumps(["heat"])}, "other features"),
        ({"shape": "{"}, "cannot be read"),
        ({"shape": json.dumps({"joined": 5})}, "cannot be read"),
        ({"calibration": "[1, 2]"}, "cannot be read"),
        ({"calibration": "[1, 2, NaN]"}, "no numbers"),
    ],
)
def test_a_wrong_file_gives_one_clear_line(tmp_path, predictor, change, message):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    save_predictor(predictor, good)
    facts = {
        "format": FORMAT,
        "maps": json.dumps(MAPS),
        "scalars": json.dumps(SCALARS),
        "shape": "{}",
        "calibration": "[1, 0, 0]",
        "model": "t4v-classic",
    }
    save_file(load_file(good), bad, facts)
    load_predictor(str(bad))
    save_file(load_file(good), bad, facts | change)
    with pytest.raises(ImportanceError, match=message) as error:
        load_predictor(str(bad))
    assert "\n" not in str(error.value)


def test_what_is_no_file_or_no_weights_gives_one_clear_line(tmp_path):
    with pytest.raises(ImportanceError, match=r"no predictor .* known are"):
        load_predictor("builtin:nobody")
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(ImportanceError, match="cannot be read as a predictor"):
        load_predictor(str(path))


@pytest.mark.parametrize("name", predictor_names())
def test_built_in_ones_load_and_have_a_card(name, video):
    from t4vcodec.importance.predictor import _packaged

    predictor = load_predictor(f"builtin:{name}")
    assert predictor.of_video(video).shape == (len(video.frame_of),)
    card = (_packaged() / f"{name}.md").read_text(encoding="utf-8")
    assert re.search(r"train-importance", card)


def test_predictors_of_one_name_are_not_mixed(tmp_path):
    alike = [Predictor("model", ImportanceNetwork()) for _ in range(2)]
    with pytest.raises(ImportanceError, match="2 predictors are called 'model'"):
        study_predictor([], None, alike, PredictorSettings(), tmp_path)
