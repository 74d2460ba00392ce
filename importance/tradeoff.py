"""Bytes, delay and accuracy of every way to get a video to a recogniser.

    run = Runs(cache, predict)
    for outcome in run.outcomes(clip, cells, ways):
        ...

A *cell* is a codec, a channel and a session's condition; a *way* is a transport, or `nack` with a policy of what is
worth sending again (`worth`) and a share of the bytes that it may have. Shares become thresholds of utility per
byte, one for all clips of a cell (`thresholds`): what is spared on one clip is there for another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from t4vcodec.codec import Setup
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip, make_clip
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.eval.session_opponents import Variant
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.importance.delivery import deliver, losses
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.influence import Influence
from t4vcodec.importance.labels import frames_of
from t4vcodec.importance.predictor import Predictor
from t4vcodec.importance.sent_video import AnyVideo, SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.importance.worth import POLICIES, PREDICTED, utilities
from t4vcodec.importance.x264_video import X264Video
from t4vcodec.media import to_rgb
from t4vcodec.network.channels import Channel, parse_channel
from t4vcodec.recognition.datasets import Labelled
from t4vcodec.recognition.recognizer import Recognizer

CODECS = ("t4v", "x264")
POINT = 150
SHARES = (0.1, 0.2, 0.4, 0.7)
NONE, ALL = "none", "all"
_LEAST = 1e-12
_CORE = ("sent_video", "x264_video", "target", "trace", "influence", "worth", "delivery")
_FILES = (
    "codec",
    "network/transports",
    "network/channels.py",
    "network/link.py",
    "recognition/builtin.py",
    "recognition/network.py",
    "recognition/windows.py",
    "baselines",
    "eval/session_opponents.py",
    "eval/session_protocol.py",
    *(
        f"importance/{n}.py"
        for n in ("sent_video", "x264_video", "target", "trace", "influence", "worth", "delivery")
    ),
)


@dataclass(frozen=True)
class Cell:
    """Where something is measured."""

    codec: str
    channel: str
    condition: Condition

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ImportanceError(f"unknown codec {self.codec!r}: take {', '.join(CODECS)}")
        parse_channel(self.channel)

    @property
    def name(self) -> str:
        return f"{self.codec}, {self.channel}, {self.condition.name}"


@dataclass(frozen=True)
class Way:
    """How a video gets there. name: a transport (`eval` names them), `none`, `all` or a policy of `worth`."""

    name: str
    share: float = 1.0
    """Of the bytes that sending everything again takes, for policies."""

    @property
    def variant(self) -> Variant:
        """The transport; what policies choose is sent by NACK."""
        if self.name == NONE:
            return Variant("udp")
        if self.name in (ALL, *POLICIES):
            return Variant("nack")
        kind, _, redundancy = self.name.partition(" ")
        return Variant(kind, redundancy=float(redundancy) if redundancy else None)


@dataclass(frozen=True)
class Outcome:
    """One clip by one way."""

    clip: str
    label: str
    group: str
    cell: str
    way: str
    share: float
    seed: int
    right: bool
    agrees: bool
    """With the answer on the clean clip."""
    margin: float
    """Of that answer's class."""
    bytes_media: int
    """Of the whole stream, headers included."""
    bytes_sent: int
    """With parity and copies; below `bytes_media` where a transport could not send all of it."""
    bytes_back: int
    """Reports and requests."""
    packets_lost: int
    """Not in hand when their frames were due."""
    delay_median: float
    """Milliseconds from capture until the receiver is done with a frame."""
    delay_p95: float
    late: int
    """Frames that weren't whole when due."""
    frames: int


@dataclass(frozen=True, eq=False)
class LostPackets:
    """What packets that did not arrive are worth. All (packets,)."""

    numbers: np.ndarray
    worth: np.ndarray
    sizes: np.ndarray
    """Bytes, headers included."""


class Trial:
    """One labelled clip with one recognizer, sent by one codec. predictor: the sender's, for policies that ask."""

    def __init__(
        self,
        labelled: Labelled,
        recognizer: Recognizer,
        codec: str,
        point: float,
        predictor: Predictor | None = None,
    ) -> None:
        self.labelled, self.recognizer, self.codec, self.point = labelled, recognizer, codec, point
        self.predictor = predictor
        self._sha: str | None = None

    def release(self) -> None:
        """Frees the pictures; they are made again when wanted."""
        for name in ("clip", "video", "measure"):
            self.__dict__.pop(name, None)

    @cached_property
    def clip(self) -> Clip:
        """As the session benchmark knows it."""
        frames, fps = frames_of(self.labelled)
        return make_clip(self.labelled.name, self.labelled.source, fps, tuple(frames))

    @cached_property
    def video(self) -> AnyVideo:
        """What is sent. x264 gets the bytes that our stream takes."""
        clip = self.clip
        kbps = scaled_kbps(self.point, clip.width, clip.height, clip.fps)
        ours = SentVideo.encode(clip.frames, Setup(clip.width, clip.height, clip.fps), kbps)
        return ours if self.codec == "t4v" else X264Video.encode(clip.frames, clip.fps, ours.sizes.sum())

    @cached_property
    def measure(self) -> Influence:
        """Of the class that is named on the clean clip."""
        clean = np.stack([to_rgb(frame) for frame in self.clip.frames])
        return Influence(self.video, Target.of_clean(self.recognizer, clean, float(self.clip.fps), "margin"))

    def facts(self) -> dict[str, Any]:
        """What everything about it depends on."""
        if self._sha is None:
            self._sha = self.clip.sha256
        return {
            "source": [self.labelled.name, self.labelled.start, self.labelled.end],
            "sha": self._sha,
            "recognizer": self.recognizer.name,
            "codec": self.codec,
            "point": self.point,
            "code": version_of(*_FILES),
        }


class Runs:
    """Runs trials, and remembers."""

    def __init__(self, cache: Cache, seed: int = 0) -> None:
        self._cache, self.seed = cache, seed

    def lost_packets(self, trial: Trial, cell: Cell, policy: str) -> LostPackets:
        """What a policy thinks of the packets that are lost if nothing is sent again."""
        arrived = self._losses(trial, cell)
        missing = np.flatnonzero(~arrived).tolist()
        # Conditions that lose the same packets share what is known of them.
        key = content_key(
            utilities=policy, missing=missing, seed=self.seed, **_predictor(trial, policy), **trial.facts()
        )
        known = self._cache.get(key)
        if known is None:
            predict = None if trial.predictor is None else trial.predictor.of_video
            worth = utilities(policy, trial.measure, arrived, predict, self.seed)
            known = [[p, float(worth[p]), int(trial.video.sizes[p])] for p in missing]
            self._cache.put(key, known)
        rows = np.array(known, float).reshape(-1, 3)
        return LostPackets(rows[:, 0].astype(int), rows[:, 1], rows[:, 2])

    def _losses(self, trial: Trial, cell: Cell) -> np.ndarray:
        """(packets,) bool, what arrives if nothing is sent again."""
        key = content_key(losses=asdict(cell), seed=self.seed, **trial.facts())
        known = self._cache.get(key)
        if known is None:
            channel = parse_channel(cell.channel)
            known = losses(trial.video, trial.clip, cell.condition, channel, self.seed).tolist()
            self._cache.put(key, known)
        return np.array(known, bool)

    def outcome(self, trial: Trial, cell: Cell, way: Way, threshold: float = 0.0) -> Outcome:
        """threshold: of a policy's utility per byte."""
        key = content_key(
            way=asdict(way),
            threshold=threshold,
            cell=asdict(cell),
            seed=self.seed,
            **_predictor(trial, way.name),
            **trial.facts(),
        )
        known = self._cache.get(key)
        if known is None:
            known = asdict(self._measure(trial, cell, way, threshold))
            self._cache.put(key, known)
        return Outcome(**known)

    def _measure(self, trial: Trial, cell: Cell, way: Way, threshold: float) -> Outcome:
        channel: Channel = parse_channel(cell.channel)
        worth = None
        if way.name in POLICIES:
            lost = self.lost_packets(trial, cell, way.name)
            worth = np.zeros(len(trial.video.frame_of))
            worth[lost.numbers] = lost.worth
        video, measure = trial.video, trial.measure
        done = deliver(video, trial.clip, way.variant, cell.condition, channel, self.seed, worth, threshold)
        scores = measure.scores(done.arrived)
        first = int(scores.argmax())
        wanted = measure.target.wanted
        ms = 1000 * done.delays
        return Outcome(
            trial.labelled.name,
            trial.labelled.label,
            trial.labelled.group or trial.labelled.name,
            cell.name,
            way.name,
            way.share,
            self.seed,
            trial.recognizer.labels[first] == trial.labelled.label,
            first == wanted,
            round(measure.score(done.arrived), 5),
            int(video.sizes.sum()),
            done.bytes_sent,
            done.bytes_back,
            int((~done.arrived).sum()),
            round(float(np.median(ms)), 3),
            round(float(np.percentile(ms, 95)), 3),
            done.late,
            video.frames,
        )


def _predictor(trial: Trial, policy: str) -> dict[str, str]:
    """For cache keys; nothing where the policy asks no predictor."""
    if policy not in PREDICTED or trial.predictor is None:
        return {}
    weights = trial.predictor.network.state_dict()
    digest = hashlib.sha256(b"".join(t.float().numpy().tobytes() for t in weights.values()))
    return {"predictor": f"{trial.predictor.calibration} {digest.hexdigest()}"}


def thresholds(packets: Sequence[LostPackets], shares: Sequence[float]) -> list[float]:
    """Utilities per byte, one for all clips, above which lie `shares` of the bytes of all lost packets."""
    worth, sizes = (np.concatenate(part) for part in zip(*((p.worth, p.sizes) for p in packets)))
    if not worth.size:
        return [0.0 for _ in shares]
    order = np.argsort(-worth / sizes, kind="stable")
    spent = np.cumsum(sizes[order]) / sizes.sum()
    at = [min(int(np.searchsorted(spent, share)), worth.size - 1) for share in shares]
    # Nothing of no use is ever worth its bytes.
    return [max(float((worth / sizes)[order[i]]), _LEAST) for i in at]


def outcomes(
    runs: Runs,
    trials: Sequence[Trial],
    cells: Sequence[Cell],
    ways: Sequence[str],
    shares: Sequence[float] = SHARES,
    echo: Callable[[str], None] = lambda line: None,
) -> Iterator[Outcome]:
    """All trials in all cells by all ways, policies with every share.

    Two passes: what packets are worth, of all clips; then what comes of it.
    """
    policies = [name for name in ways if name in POLICIES]
    known: dict[tuple[Cell, str], list[LostPackets]] = {(c, p): [] for c in cells for p in policies}
    for number, trial in enumerate(trials, 1):
        for cell, policy in known:
            if trial.codec == cell.codec:
                known[cell, policy].append(runs.lost_packets(trial, cell, policy))
        trial.release()
        echo(f"utilities: {number} of {len(trials)} clips")
    plans: dict[Cell, list[tuple[Way, float]]] = {}
    for cell in cells:
        plans[cell] = [(Way(name), 0.0) for name in ways if name not in POLICIES]
        for policy in policies:
            limits = thresholds(known[cell, policy], shares)
            plans[cell] += [(Way(policy, share), limit) for share, limit in zip(shares, limits)]
    for number, trial in enumerate(trials, 1):
        for cell in cells:
            for way, threshold in plans[cell] if trial.codec == cell.codec else ():
                yield runs.outcome(trial, cell, way, threshold)
        trial.release()
        echo(f"outcomes: {number} of {len(trials)} clips")
