"""The codec behind CompressAI's interface: its registry, its calls, its evaluation."""

import numpy as np
import pytest
import torch
from compressai.registry import MODELS
from compressai.transforms.functional import ycbcr2rgb, yuv_420_to_444
from t4vcodec.media import open_video
from t4vcodec.training.compression_model import CompressionModelError, T4VModel


def bits_of(likelihoods):
    return sum(float(-p.detach().log2().sum()) for part in likelihoods.values() for p in part.values())


def sent_bits(strings):
    return 8 * sum(len(packet) for (packet,) in strings)


def tensors(count, height, width):
    """Frames of a rendered clip, (1, 3, H, W)."""
    out = []
    with open_video("builtin:val/run-00", count) as video:
        for f in video:
            luma = f.y[60 : 60 + height, 100 : 100 + width]
            rows, columns = slice(30, 30 + (height + 1) // 2), slice(50, 50 + (width + 1) // 2)
            planes = [
                torch.from_numpy(p.copy()).float()[None, None] / 255
                for p in (luma, f.u[rows, columns], f.v[rows, columns])
            ]
            planes[0] = torch.nn.functional.pad(planes[0], (0, width % 2, 0, height % 2), mode="replicate")
            out.append(ycbcr2rgb(yuv_420_to_444(tuple(planes)))[..., :height, :width].clamp(0, 1))
    return out


@pytest.fixture(scope="module")
def frames():
    return tensors(4, 96, 128)


@pytest.fixture(scope="module")
def net():
    return MODELS["t4v"](quality=26).eval()


def test_forward_estimates_the_bits_that_the_coder_needs(net, frames):
    estimated = [bits_of(likelihoods) for likelihoods in net(frames)["likelihoods"]]
    strings, _ = net.compress(frames)
    real = [sent_bits(frame) for frame in strings]
    assert abs(sum(estimated) / sum(real) - 1) < 0.01
    assert all(abs(e / r - 1) < 0.03 for e, r in zip(estimated, real))


def test_forward_shows_the_pictures_that_the_decoder_shows(net, frames):
    shown = net(frames)["x_hat"]
    decoded = net.decompress(*net.compress(frames))
    assert all(torch.equal(a, b) for a, b in zip(shown, decoded))
    assert all(((a - x) ** 2).mean() < 0.003 for a, x in zip(decoded, frames))


def test_whatever_packets_are_there_are_decoded(net, frames):
    strings, shapes = net.compress(frames)
    whole = net.decompress(strings, shapes)
    part = net.decompress([strings[0], strings[1][1:], [], strings[3]], shapes)
    assert torch.equal(part[0], whole[0])
    assert all(p.shape == x.shape for p, x in zip(part, frames))
    assert not torch.equal(part[2], whole[2])


def test_odd_sizes_keep_their_size(net):
    odd = tensors(2, 95, 127)
    assert all(x.shape == (1, 3, 95, 127) for x in net(odd)["x_hat"] + net.decompress(*net.compress(odd)))


def test_every_weight_has_a_gradient(frames):
    net = T4VModel(quality=40).train()
    for parameter in net.synthesis.tail.parameters():
        torch.nn.init.normal_(parameter, std=1e-3)
    out = net([torch.cat([x, x.flip(3)]) for x in frames[:3]])
    distortion = sum(((a[:1] - x) ** 2).mean() for a, x in zip(out["x_hat"], frames))
    rate = sum(-p.log2().sum() for ls in out["likelihoods"] for part in ls.values() for p in part.values())
    (distortion + 1e-6 * rate).backward()
    assert out["x_hat"][0].shape[0] == 2
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    assert net.aux_loss() == 0


def test_likelihoods_follow_the_tables(net, frames):
    """A step along the gradient of the rate makes the symbols that were coded cheaper."""
    mine = T4VModel(network=False).train()
    rate = bits_of(mine(frames)["likelihoods"][1])
    total = sum(
        -p.log2().sum() for ls in mine(frames)["likelihoods"] for part in ls.values() for p in part.values()
    )
    total.backward()
    with torch.no_grad():
        mine.log_frequencies -= 0.02 * mine.log_frequencies.grad.sign()
    assert bits_of(mine(frames)["likelihoods"][1]) < rate


def test_update_gives_the_coder_what_was_learned(frames):
    net = T4VModel(network=False)
    before = net.tables().frequencies
    assert np.array_equal(before, T4VModel(network=False).tables().frequencies)
    with torch.no_grad():
        net.log_frequencies += 0.3 * torch.randn(
            net.log_frequencies.shape, generator=torch.Generator().manual_seed(1)
        )
    net.update()
    strings, shapes = net.compress(frames)
    assert abs(sum(map(bits_of, net(frames)["likelihoods"])) / sum(map(sent_bits, strings)) - 1) < 0.03
    again = T4VModel.from_state_dict(net.state_dict())
    assert not np.array_equal(again.tables().frequencies, before)
    assert all(
        torch.equal(a, b) for a, b in zip(again.decompress(strings, shapes), net.decompress(strings, shapes))
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, x: net.forward(x), "list of frames"),
        (lambda net, x: net.compress([]), "list of frames"),
        (lambda net, x: net.compress([torch.cat([x, x])]), "frame by frame"),
        (lambda net, x: T4VModel(network=False).encode_inter(x, x), "encode_keyframe first"),
        (lambda net, x: T4VModel(network=False).forward_inter(x, x), "forward_keyframe first"),
        (lambda net, x: net.decompress([[]], []), "0 shapes"),
    ],
)
def test_calls_that_make_no_sense_are_named(net, frames, call, words):
    with pytest.raises(CompressionModelError, match=words):
        call(net, frames[0])


@pytest.fixture
def yuv(tmp_path):
    """A short sequence as CompressAI reads it; its MS-SSIM wants sides above 160."""
    path = tmp_path / "run_192x176_25fps_8bit_420.yuv"
    with open_video("builtin:val/run-00", 3) as video, path.open("wb") as file:
        for f in video:
            for plane, div in ((f.y, 1), (f.u, 2), (f.v, 2)):
                file.write(plane[: 176 // div, 100 // div : (100 + 192) // div].tobytes())
    return path


def test_compressai_evaluates_it(net, yuv, tmp_path):
    from compressai.utils.video.eval_model import __main__ as theirs

    real = theirs.eval_model(net, yuv, tmp_path / "out.bin")
    estimated = theirs.eval_model_entropy_estimation(net, yuv)
    assert real["psnr-y"] == pytest.approx(estimated["psnr-y"], abs=0.01)
    assert real["psnr-y"] > 28
    # Their file counts 4 bytes for each string and 12 a frame, ours do not exist in the estimate.
    assert estimated["bitrate"] < real["bitrate"] < 1.25 * estimated["bitrate"] + 5
