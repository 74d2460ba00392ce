"""The synthesis network in the loop: off when untrained, the same on both sides, told what is damaged."""

from pathlib import Path

import numpy as np
import pytest
import torch
from t4vcodec.codec import Decoder, Encoder, Setup
from t4vcodec.codec.damage import COARSE, FADING, MENDING, damage_after
from t4vcodec.codec.models import Model, ModelError, load_model, load_tables, save_model
from t4vcodec.codec.models.synthesis import MAPS, Synthesis
from t4vcodec.codec.prediction import Prediction
from t4vcodec.codec.symbols import BLOCKS8, INTRA, LAST, LONG, NONE, ZERO, FrameSymbols
from t4vcodec.codec.synthesising import FULL, Synthesising, best_strength


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Path]:
    """Model files: a network that adds nothing, and one that adds something wherever it can."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(3)
    paths = {}
    for name, deviation in (("silent", 0.0), ("loud", 0.003)):
        network = Synthesis(8, 1)
        torch.nn.init.normal_(network.tail.weight, std=deviation)
        paths[name] = folder / f"{name}.safetensors"
        save_model(Model(load_tables("t4v-classic"), network), paths[name])
    return paths


def code(frames, model: str, monkeypatch=None):
    setup = Setup(frames[0].width, frames[0].height, model=str(model))
    encoder = Encoder(setup, quality=24, threads=1)
    packets, pictures = [], []
    for frame in frames:
        packets.append(encoder.push(frame))
        pictures.append(encoder.reconstruction)
    return setup, packets, pictures


def play(setup, packets, lose=lambda frame, index: False):
    decoder = Decoder(setup)
    shown, states = [], []
    for number, frame in enumerate(packets):
        shown += decoder.push([p for p in frame if not lose(number, p.index)])
        shown += decoder.close(number)
        states.append(decoder.state)
    return shown, states


def test_an_untrained_network_changes_nothing(networks, make_clip):
    frames = make_clip(64, 48, 4)
    plain, silent = code(frames, "t4v-classic"), code(frames, networks["silent"])
    for a, b in zip(plain[1], silent[1]):
        assert [p.payload for p in a] == [p.payload for p in b]
    for a, b in zip(play(*plain[:2])[0], play(*silent[:2], lambda f, i: False)[0]):
        assert np.array_equal(a.y, b.y)


@pytest.mark.parametrize("strength", range(FULL + 1))
def test_encoder_and_decoder_synthesise_alike(networks, make_clip, pictures_equal, monkeypatch, strength):
    monkeypatch.setattr("t4vcodec.codec.encoder.best_strength", lambda *_: strength)
    setup, packets, pictures = code(make_clip(64, 48, 18), networks["loud"])
    assert {p.header.strength for frame in packets for p in frame} == {strength}
    for picture, state in zip(pictures, play(setup, packets)[1]):
        assert pictures_equal(picture, state.last)
        assert state.last.damage is None


def test_damaged_places_are_synthesised_in_full_whatever_the_strength(networks, make_clip, monkeypatch):
    monkeypatch.setattr("t4vcodec.codec.encoder.best_strength", lambda *_: 0)
    frames = make_clip(64, 48, 3)
    loud, silent = code(frames, networks["loud"]), code(frames, networks["silent"])

    def lose(frame, index):
        return frame == 1 and index == 0

    a, states = play(*loud[:2], lose)
    b, _ = play(*silent[:2], lose)
    assert states[1].last.damage.max() == 1
    gone = (states[1].last.damage == 1).repeat(8, 0).repeat(8, 1)
    assert np.array_equal(a[0].y, b[0].y)
    assert not np.array_equal(a[1].y[gone], b[1].y[gone])
    assert np.array_equal(
        a[1].y[states[1].last.damage.repeat(8, 0).repeat(8, 1) == 0],
        b[1].y[states[1].last.damage.repeat(8, 0).repeat(8, 1) == 0],
    )


def test_the_best_strength_is_that_of_the_least_error():
    source = [torch.full((4, 4), 100.0)] * 3
    added = [torch.full((4, 4), 9.0)] * 3
    for off, expected in ((0, 0), (2, 1), (3, 1), (5.9, 2), (9, 3), (20, 3), (-5, 0)):
        assert best_strength([torch.full((4, 4), 100.0 - off)] * 3, added, source) == expected


def symbols_of(columns: int, rows: int) -> FrameSymbols:
    symbols = FrameSymbols.lost(columns, rows)
    symbols.kind[:] = ZERO
    return symbols


class TestDamage:
    nothing = np.zeros(4, bool)

    def test_none_without_loss(self):
        assert damage_after(symbols_of(2, 2), self.nothing, self.nothing, None, None) is None

    def test_lost_and_coarse(self):
        lost, coarse = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 0], bool)
        damage = damage_after(symbols_of(2, 2), lost, coarse, None, None)
        assert np.allclose(damage[:2, :2], 1)
        assert np.allclose(damage[:2, 2:], COARSE)
        assert np.allclose(damage[2:], 0)

    def test_it_follows_motion_and_reference_fades_and_is_mended(self):
        symbols = symbols_of(2, 2)
        symbols.vectors[0] = (64, 0)  # 16 samples to the right
        symbols.transform[1] = BLOCKS8
        symbols.kind[2] = INTRA
        symbols.reference[3] = LONG
        last, long = np.zeros((4, 4), np.float32), np.full((4, 4), 0.5, np.float32)
        last[:, 2:] = 1
        damage = damage_after(symbols, self.nothing, self.nothing, last, long)
        assert np.allclose(damage[:2, :2], FADING)
        assert np.allclose(damage[:2, 2:], MENDING)
        assert np.allclose(damage[2:, :2], 0)
        assert np.allclose(damage[2:, 2:], 0.5 * FADING)


def test_corrections_have_gradients_in_every_weight():
    network = Synthesis(8, 2)
    torch.nn.init.normal_(network.tail.weight, std=0.01)
    symbols = symbols_of(3, 2)
    symbols.transform[:] = NONE
    symbols.reference[:] = LAST
    damage = np.full((4, 6), 0.3, np.float32)
    nothing = np.zeros(6, bool)
    planes = [torch.rand(32, 48) * 255, torch.rand(16, 24) * 255, torch.rand(16, 24) * 255]
    steps = torch.full((6,), 8.0)
    prediction = Prediction(*planes, steps, steps)
    s = Synthesising(network, FULL, nothing, nothing, damage)
    added = s.corrections(planes, prediction, symbols)
    sum(a.square().sum() for a in added).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert [tuple(a.shape) for a in added] == [tuple(p.shape) for p in planes]


def test_a_model_file_keeps_its_network(tmp_path):
    network = Synthesis(8, 3)
    torch.nn.init.normal_(network.tail.weight)
    path = tmp_path / "m.safetensors"
    save_model(Model(load_tables("t4v-classic"), network), path)
    loaded = load_model(str(path)).synthesis
    assert len(loaded.body) == 3
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float())
    assert load_model("t4v-classic").synthesis is None


def test_a_network_of_another_shape_is_refused(tmp_path):
    network = Synthesis(8, 1)
    network.head = torch.nn.Conv2d(5, 8, 3)
    path = tmp_path / "m.safetensors"
    save_model(Model(load_tables("t4v-classic"), network), path)
    with pytest.raises(ModelError, match="no t4vcodec model of this version"):
        load_model(str(path))


def test_macs_are_those_of_the_convolutions():
    assert (
        Synthesis(8, 1).macs_per_pixel == ((40 + MAPS) * 8 * 9 + (8 * 16 + 16 * 9 + 16 * 8) + 8 * 24 * 9) / 16
    )
