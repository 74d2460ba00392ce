"""The codec as a model of CompressAI: `compressai.registry.MODELS["t4v"]`, once this module is imported.

    import compressai.registry
    import t4vcodec.training.compression_model

    net = compressai.registry.MODELS["t4v"](quality=26)
    out = net(frames)                        # x_hat, likelihoods: differentiable in tables and network
    strings, shapes = net.compress(frames)   # the packets that travel
    strings[3] = strings[3][1:]              # one of them was lost
    frames = net.decompress(strings, shapes)

Frames are (N, 3, H, W) RGB in 0 to 1, converted by CompressAI's own BT.709 functions; the calls are those of its
video models (`ScaleSpaceFlow`). Where their interface carries one reference picture only (`encode_inter`,
`decode_inter`, `forward_inter`), this model keeps the session itself: the long-term reference, motion and the
encoder's memory live here, and a key frame begins anew.

`forward` lets the encoder search, decide and quantise as it does for real, without gradient; pictures are then made
by the decoder's own steps and bits counted from the tables, both with gradient: of the synthesis network and of the
logarithms of the tables' frequencies. As in other models of CompressAI, `update` makes changed weights those that
the coder uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from compressai.models import CompressionModel
from compressai.registry import register_model
from compressai.transforms.functional import rgb2ycbcr, ycbcr2rgb, yuv_420_to_444, yuv_444_to_420
from t4vcodec.codec import Decoder, Encoder, Packet, Setup
from t4vcodec.codec.contexts import DC, STEP
from t4vcodec.codec.encoder import DEFAULT_RESILIENCE
from t4vcodec.codec.models import Model, load_model, save_model
from t4vcodec.codec.models.synthesis import Synthesis
from t4vcodec.codec.packets import HEADER, PacketSymbols, PayloadParser
from t4vcodec.codec.setup import DEFAULT_MODEL
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.codec.stream_info import PacketCounter
from t4vcodec.codec.tables import TOTAL, Tables
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.training.samples import in_full
from torch import Tensor, nn

Likelihoods = dict[str, dict[str, Tensor]]
COLOUR = Colour("bt709", full_range=True)  # as CompressAI's conversions have it


class CompressionModelError(T4VError):
    """A call that CompressAI's interface allows and a codec with a session cannot answer."""


class _Session:
    """One video through the coder, or through `forward`."""

    def __init__(self, setup: Setup, quality: int, resilience: float) -> None:
        self.setup = setup
        self.encoder = Encoder(setup, quality=quality, resilience=resilience, threads=1)
        self.decoder = Decoder(setup)
        self.tables = load_model(setup.model).tables
        self.parser = PayloadParser(setup, self.tables)
        self.state = DecoderState()
        self.number = -1

    def encode(self, frame: Tensor) -> list[Packet]:
        """The packets of the next frame, (1, 3, H, W)."""
        self.number += 1
        return self.encoder.push(_to_frame(frame, float(self.number / self.setup.fps)))

    def decode(self, packets: Sequence[bytes]) -> Tensor:
        """The picture of the next frame, of those of its packets that are there."""
        number = self.decoder.next_frame
        shown = self.decoder.push(packets) + self.decoder.close(until=number)
        planes = (torch.from_numpy(p).float() for p in (shown[0].y, shown[0].u, shown[0].v))
        return _to_rgb(planes, self.setup)


@register_model("t4v")
class T4VModel(CompressionModel):
    """The codec at constant quality.

    model: tables, and a network where it has one, to start from: a name in `pretrained` or a file. quality: 0
    (fine) to 63 (coarse). resilience: as of `Encoder`. fps: frames per second. network: whether to add an untrained
    synthesis network, which changes nothing, where the model has none.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        quality: int = 26,
        resilience: float = DEFAULT_RESILIENCE,
        fps: Fraction | float = 25,
        network: bool = True,
    ) -> None:
        super().__init__()
        self.quality, self.resilience = quality, resilience
        self.fps = Fraction(fps).limit_denominator(100_000)
        start = load_model(model)
        frequencies = torch.from_numpy(start.tables.frequencies).float()
        self.register_buffer("used", frequencies > 0)
        self.register_buffer("row", torch.from_numpy(start.tables.row.astype(np.int64)))
        self.register_buffer("points", torch.from_numpy(start.tables.points))
        self.log_frequencies = nn.Parameter(frequencies.clamp(min=1).log())
        self.synthesis: Synthesis | None = None
        if start.synthesis is not None:
            self.synthesis = Synthesis.like(start.synthesis.state_dict())
        elif network:
            self.synthesis = Synthesis()
        self._folder = TemporaryDirectory(prefix="t4vcodec-")
        self._coded: _Session | None = None
        self._decoded: _Session | None = None
        self._estimated: _Session | None = None
        self.update()

    def update(
        self, scale_table: Tensor | None = None, force: bool = False, update_quantiles: bool = False
    ) -> bool:
        """Make the weights as they are now those that the coder uses; a session under way ends. Always True.

        The arguments are CompressAI's, and without meaning here: tables are whole numbers already.
        """
        network = self.synthesis
        if network is not None and not any(p.abs().max() > 0 for p in network.tail.parameters()):
            network = None  # it adds nothing, and would cost time
        save_model(Model(self.tables(), network), self._file)
        self._coded = self._decoded = self._estimated = None
        return True

    @property
    def _file(self) -> Path:
        # The name is in every packet's salt: the same wherever these weights are.
        return Path(self._folder.name) / "t4v-compressai.safetensors"

    def tables(self) -> Tables:
        """The tables that the parameters stand for, whole numbers of at least 1 that sum to 65,536."""
        with torch.no_grad():
            wanted = (self._log_probabilities().exp() * self.used).double().cpu().numpy() * TOTAL
        used = self.used.cpu().numpy()
        whole = np.where(used, np.maximum(np.rint(wanted), 1), 0).astype(np.int64)
        whole[np.arange(len(whole)), whole.argmax(1)] += TOTAL - whole.sum(1)
        return Tables(self.row.cpu().numpy().astype(np.uint16), whole, self.points.cpu().numpy())

    def _log_probabilities(self) -> Tensor:
        """(T, 24), natural logarithms; -inf where a table has no such symbol."""
        return self.log_frequencies.masked_fill(~self.used, -torch.inf).log_softmax(1)

    def aux_loss(self) -> Tensor:
        """Zero: no quantile is estimated."""
        return self.log_frequencies.sum() * 0

    def _session(self, x: Tensor) -> _Session:
        if x.ndim != 4 or x.shape[:2] != (1, 3):
            raise CompressionModelError(
                f"a video is coded frame by frame: give (1, 3, H, W), not {tuple(x.shape)}"
            )
        setup = Setup(x.shape[3], x.shape[2], self.fps, str(self._file))
        return _Session(setup, self.quality, self.resilience)

    # With gradients

    def forward(self, frames: Sequence[Tensor]) -> dict[str, list[Tensor] | list[Likelihoods]]:
        """`x_hat`: pictures, (N, 3, H, W) each; `likelihoods`: of each frame, by part.

        frames: the same moment of N videos, (N, 3, H, W) each. The sum of -log2 of all likelihoods is the bits that
        `compress` needs for the frame.
        """
        if not isinstance(frames, (list, tuple)) or not frames:
            raise CompressionModelError("forward takes a list of frames, (N, 3, H, W) each")
        videos = []
        for n in range(len(frames[0])):
            shown = [self.forward_keyframe(frames[0][n : n + 1])]
            for frame in frames[1:]:
                shown.append(self.forward_inter(frame[n : n + 1], shown[-1][0]))
            videos.append(shown)
        moments = list(zip(*videos))
        return {
            "x_hat": [torch.cat([x for x, _ in moment]) for moment in moments],
            "likelihoods": [_together([bits for _, bits in moment]) for moment in moments],
        }

    def forward_keyframe(self, x: Tensor) -> tuple[Tensor, Likelihoods]:
        """A picture and its likelihoods; a video begins."""
        self._estimated = self._session(x)
        return self._estimate(x)

    def forward_inter(self, x_cur: Tensor, x_ref: Tensor) -> tuple[Tensor, Likelihoods]:
        """The next frame. x_ref: not looked at, the session knows its references."""
        if self._estimated is None:
            raise CompressionModelError("no video is under way: call forward_keyframe first")
        return self._estimate(x_cur)

    def _estimate(self, x: Tensor) -> tuple[Tensor, Likelihoods]:
        session = self._estimated
        packets = [session.parser.parse(packet) for packet in session.encode(x)]
        if self.training:
            # The encoder gives a network that adds nothing no strength; so nothing would ever be learned.
            packets = [in_full(packet) for packet in packets]
        model = Model(session.tables, self.synthesis)
        session.state, picture = step(session.state, packets, session.setup, model)
        return _to_rgb((picture.y, picture.u, picture.v), session.setup), self._likelihoods(session, packets)

    def _likelihoods(self, session: _Session, packets: Sequence[PacketSymbols]) -> Likelihoods:
        tables = session.tables
        counter = PacketCounter(session.setup, tables)
        for packet in packets:
            counter.add(packet)
        contexts, symbols = np.nonzero(counter.counts)
        times = torch.from_numpy(counter.counts[contexts, symbols])
        coded = float((counter.counts * tables.cost[tables.row]).sum())
        raw = float(counter.own.sum() + counter.copies.sum()) - coded + 8 * HEADER * len(packets)
        each = self._log_probabilities()[
            self.row[torch.from_numpy(contexts)], torch.from_numpy(symbols)
        ].exp()
        is_motion = torch.from_numpy(contexts < STEP)
        is_residual = torch.from_numpy(contexts >= DC)
        parts = {
            "motion": is_motion,
            "residual": is_residual,
            "step": ~(is_motion | is_residual),
        }
        found = {name: {"y": each[at].repeat_interleave(times[at])} for name, at in parts.items()}
        for part in found.values():
            part["z"] = each.new_ones(0)
        # Bits without a table: signs, large levels, headers.
        found["step"]["z"] = each.new_full((max(round(raw), 0),), 0.5)
        return found

    # For real

    def compress(self, frames: Sequence[Tensor]) -> tuple[list[list[list[bytes]]], list[tuple[int, int]]]:
        """Strings of each frame, its packets in lists of one (CompressAI's batch), and the frames' (H, W)."""
        if not isinstance(frames, (list, tuple)) or not frames:
            raise CompressionModelError("compress takes a list of frames, (1, 3, H, W) each")
        session = self._session(frames[0])
        strings = [[[bytes(packet)] for packet in session.encode(frame)] for frame in frames]
        return strings, [tuple(frame.shape[2:]) for frame in frames]

    def decompress(
        self, strings: Sequence[Sequence[Sequence[bytes]]], shapes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """Pictures, (1, 3, H, W) each. Packets may be missing from `strings`: what is there is decoded."""
        if len(strings) != len(shapes) or not shapes:
            raise CompressionModelError(f"{len(strings)} frames of strings, but {len(shapes)} shapes")
        session = self._session(torch.empty(1, 3, *shapes[0]))
        return [session.decode([packet for (packet,) in frame]) for frame in strings]

    def encode_keyframe(self, x: Tensor) -> tuple[Tensor, dict]:
        """What a receiver shows, and `strings` and `shape`; a video begins."""
        self._coded = self._session(x)
        shown, strings = self._code(x)
        return shown, {"strings": strings, "shape": tuple(x.shape[2:])}

    def encode_inter(self, x_cur: Tensor, x_ref: Tensor) -> tuple[Tensor, dict]:
        """The next frame, its parts (one, `frame`) by name. x_ref: not looked at, as above."""
        if self._coded is None:
            raise CompressionModelError("no video is under way: call encode_keyframe first")
        shown, strings = self._code(x_cur)
        return shown, {"strings": {"frame": strings}, "shape": {"frame": tuple(x_cur.shape[2:])}}

    def _code(self, x: Tensor) -> tuple[Tensor, list[list[bytes]]]:
        packets = [bytes(packet) for packet in self._coded.encode(x)]
        return self._coded.decode(packets), [[packet] for packet in packets]

    def decode_keyframe(self, strings: Sequence[Sequence[bytes]], shape: tuple[int, int]) -> Tensor:
        """The first picture of a video."""
        self._decoded = self._session(torch.empty(1, 3, *shape))
        return self._decoded.decode([packet for (packet,) in strings])

    def decode_inter(self, x_ref: Tensor, strings: dict, shapes: dict) -> Tensor:
        """The next picture. x_ref: not looked at."""
        if self._decoded is None:
            raise CompressionModelError("no video is under way: call decode_keyframe first")
        return self._decoded.decode([packet for (packet,) in strings["frame"]])

    @classmethod
    def from_state_dict(cls, state_dict: dict[str, Tensor]) -> T4VModel:
        """A model with these weights, ready to code."""
        network = any(name.startswith("synthesis.") for name in state_dict)
        net = cls(network=network)
        if network:
            prefix = "synthesis."
            own = {n.removeprefix(prefix): t for n, t in state_dict.items() if n.startswith(prefix)}
            net.synthesis = Synthesis.like(own)
        for name in ("row", "points", "used"):
            net.register_buffer(name, torch.empty_like(state_dict[name]))
        net.log_frequencies = nn.Parameter(torch.empty_like(state_dict["log_frequencies"]))
        net.load_state_dict(state_dict)
        net.update()
        return net


def _together(parts: Sequence[Likelihoods]) -> Likelihoods:
    """The likelihoods of a batch."""
    return {
        name: {k: torch.cat([part[name][k] for part in parts]) for k in kinds}
        for name, kinds in parts[0].items()
    }


def _to_frame(x: Tensor, time: float) -> Frame:
    planes = yuv_444_to_420(rgb2ycbcr(_even(x.detach().float())), mode="avg_pool")
    y, u, v = ((p[0, 0] * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy() for p in planes)
    height, width = x.shape[2:]
    return Frame(np.ascontiguousarray(y[:height, :width]), u, v, time, COLOUR)


def _even(x: Tensor) -> Tensor:
    """Sides made even by repeating the border."""
    return F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")


def _to_rgb(planes: Iterable[Tensor], setup: Setup) -> Tensor:
    """(1, 3, H, W) of planes in 0 to 255, as shown or with the codec's padding."""
    height, width = setup.height + setup.height % 2, setup.width + setup.width % 2
    y, u, v = (plane[None, None] / 255 for plane in planes)
    y = F.pad(
        y[..., :height, :width],
        (0, max(0, width - y.shape[3]), 0, max(0, height - y.shape[2])),
        mode="replicate",
    )
    u, v = (plane[..., : height // 2, : width // 2] for plane in (u, v))
    return ycbcr2rgb(yuv_420_to_444((y, u, v), mode="bicubic"))[..., : setup.height, : setup.width]
