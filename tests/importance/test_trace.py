"""Gradients through decoder and recognizer are those of what is really computed."""

import copy

import numpy as np
import pytest
import torch
from t4vcodec.codec import Setup, reconstruct
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.influence import Influence
from t4vcodec.importance.saliency import LinearTarget
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.importance.trace import decode_graph, latent_planes, rgb_of, trace_gradients
from t4vcodec.media import Colour, Frame, to_rgb
from t4vcodec.recognition.builtin import BuiltinRecognizer


@pytest.fixture
def smooth(monkeypatch):
    """Pictures without rounding, which gradients pass through as if it were not there."""
    monkeypatch.setattr(reconstruct, "round_through", lambda x: x)


@pytest.fixture(scope="session")
def double_target(recognizer, target):
    network = copy.deepcopy(recognizer.network).double()
    # At 12.5 a second every frame is looked at.
    return Target(BuiltinRecognizer("double", recognizer.labels, network), target.wanted, 12.5)


@pytest.fixture(scope="session")
def short(video):
    """The first six frames: a set with frame 4 missing then begins anew after it."""
    return SentVideo(video.setup, video.packets[:6], video.colour)


def nothing_added(video, arrived):
    out = []
    for frame in range(video.frames):
        packets = video.arrived_of(frame, arrived)
        grid = video.setup.grid(packets[0].packet.header.half) if packets else None
        out.append(None if grid is None else torch.zeros((grid.positions, 384), dtype=torch.float64))
    return out


def random_target(clean, seed=0, frames=None):
    gradient = np.random.default_rng(seed).normal(size=(len(clean), 3, *clean.shape[1:3]))
    if frames is not None:
        gradient[[t for t in range(len(clean)) if t not in frames]] = 0
    return LinearTarget(gradient)


@pytest.mark.parametrize("lossy", [False, True])
def test_latent_gradients_are_central_differences(short, some, double_target, smooth, lossy):
    """Through score, recognizer, colours, and the decoder with its references, holes and lost frames."""
    video = short
    arrived = some[: video.first_of[-1]] if lossy else video.everything
    gradients = trace_gradients(video, arrived, double_target, torch.float64).latents

    def score(latents):
        with torch.no_grad():
            return float(double_target(torch.stack(decode_graph(video, arrived, latents, torch.float64)[1])))

    random = torch.Generator().manual_seed(0)
    checked = 0
    for frame, gradient in enumerate(gradients):
        if gradient is None:
            assert not video.arrived_of(frame, arrived)
            continue
        way = torch.randn(gradient.shape, generator=random, dtype=torch.float64)
        # Towards the gradient as well, or a random way sees next to nothing of it.
        way = way / way.norm() + gradient / gradient.norm()
        ends = []
        for sign in (1, -1):
            latents = nothing_added(video, arrived)
            latents[frame] += sign * 1e-5 * way
            ends.append(score(latents))
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float((gradient * way).sum()), rel=1e-4)
        checked += 1
    assert checked == 6 - lossy


def test_gradcheck_of_torch_agrees(short, double_target, smooth):
    """`torch.autograd.gradcheck` along directions of the latents of three frames at once."""
    video, arrived = short, short.everything
    random = torch.Generator().manual_seed(1)
    directions = [torch.randn((2, 384), generator=random, dtype=torch.float64) for _ in range(3)]
    positions = [7, 16]

    def score(amounts):
        latents = nothing_added(video, arrived)
        for frame, way in enumerate(directions):
            added = torch.zeros_like(latents[frame])
            added[positions] = way * amounts[frame][:, None]
            latents[frame] = latents[frame] + added
        return double_target(torch.stack(decode_graph(video, arrived, latents, torch.float64)[1]))

    amounts = torch.zeros((3, 2), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(score, (amounts,), eps=1e-5, atol=1e-9, rtol=1e-3)


def test_the_graph_shows_what_is_really_shown(video, some, target):
    with torch.no_grad():
        latents = [None if x is None else x.float() for x in nothing_added(video, some)]
        _, clips = decode_graph(video, some, latents)
    graph = (torch.stack(clips).permute(0, 2, 3, 1).numpy() * 255).round()
    real = video.rgb(video.play(some)).astype(float)
    # Sums in another order: a sample in a great many falls on the other side of a half.
    assert (np.abs(graph - real) > 1).mean() < 1e-3
    score = trace_gradients(video, some, target).score
    assert score == pytest.approx(Influence(video, target).score(some), abs=5e-3)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_those_of_the_media_package(matrix, full):
    random = np.random.default_rng(0)
    colour = Colour(matrix, full_range=full)
    y, u, v = (random.integers(0, 256, s, dtype=np.uint8) for s in ((48, 64), (24, 32), (24, 32)))
    picture = reconstruct.Picture(*(torch.from_numpy(p).float() for p in (y, u, v)))
    frame = Frame(y[:37, :51], u[:19, :26], v[:19, :26], 0.0, colour)
    ours = rgb_of(picture, 37, 51, colour).permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - to_rgb(frame)).max() <= 0.51


def test_latents_are_those_of_the_residual(video):
    """A coefficient that is added moves its own block by its basis function, and nothing else."""
    packets = video.arrived_of(0, video.everything)
    grid = video.setup.grid(packets[0].packet.header.half)
    latent = torch.zeros((grid.positions, 384))
    latent[grid.columns + 1, 64] = 80  # the mean of the block at the top right of its position
    y, u, v = latent_planes(latent, grid)
    assert y[16:24, 24:32].allclose(torch.full((8, 8), 10.0))
    assert float(y.sum()) == pytest.approx(640, rel=1e-5)
    assert not u.any()
    assert not v.any()
    model = video.model
    before, after = (step(DecoderState(), packets, video.setup, model, added=a)[1] for a in (None, (y, u, v)))
    assert float((after.y - before.y).mean()) > 0


def test_a_frame_takes_its_gradient_through_those_that_follow(video, clean):
    """A score of the last frame reaches the first picture, along the references."""
    trace = trace_gradients(video, video.everything, random_target(clean, frames=[len(clean) - 1]))
    assert not any(float(g.abs().sum()) for g in trace.shown[:-1])
    assert float(trace.shown[-1].abs().sum()) > 0
    assert all(float(g[0].abs().sum()) > 0 for g in trace.pictures)
    assert all(float(g.abs().sum()) > 0 for g in trace.latents)


def test_a_picture_that_stands_is_not_counted_twice(clean):
    """Frames lost whole over a still scene show the picture before; each has its own share of the gradient."""
    still = [
        Frame(np.full((48, 64), 90 + 2 * (i == 0), np.uint8), *[np.full((24, 32), 120, np.uint8)] * 2, i / 25)
        for i in range(5)
    ]
    video = SentVideo.encode(still, Setup(64, 48, 25), 60)
    arrived = video.everything
    arrived[video.frame_of >= 3] = False
    size = np.zeros((5, 48, 64, 3))

    def gradients(frames):
        return trace_gradients(video, arrived, random_target(size, 0, frames)).pictures

    whole, alone = gradients(None), [gradients([t]) for t in range(5)]
    for t in (2, 3, 4):
        # What picture t is worth: its own frame, and those after it that repeat it.
        expected = sum(alone[s][t][0] for s in range(t, 5))
        torch.testing.assert_close(whole[t][0], expected, rtol=1e-4, atol=1e-6)
    assert float(alone[4][3][0].abs().sum()) > 0
    assert not alone[3][4][0].any()
    torch.testing.assert_close(alone[4][4][0], alone[4][3][0])


def test_a_wrong_set_is_refused(video, target):
    with pytest.raises(ImportanceError, match="a set of packets"):
        trace_gradients(video, video.everything[1:], target)


def test_nothing_at_all_has_no_latents(video, target):
    trace = trace_gradients(video, ~video.everything, target)
    assert all(latent is None for latent in trace.latents)
    assert np.isfinite(trace.score)


def test_what_was_lost_and_mended_has_the_gradient_of_what_follows(video, some, clean):
    """Frame 4 was lost whole and is made again: frame 5 is predicted from that, not from what was shown."""
    trace = trace_gradients(video, some, random_target(clean, frames=range(5, len(clean))))
    assert set(trace.mended) == {4}
    assert not any(g.any() for g in trace.pictures[4])
    assert float(trace.mended[4][0].abs().sum()) > 0
    assert not trace_gradients(video, video.everything, random_target(clean)).mended
