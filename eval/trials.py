"""Candidates for real: encoded to the bytes, protected, sent, recovered and decoded.

A search asks for nothing but the quality on its seeds (`searched`); what is reported comes from `played`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval.cache import Cache, version_of
from t4vcodec.eval.candidates import Candidate
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.coded_media import CodedMedia, Facts
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.protocol import Delivery, Run, fates_of, losses_by_frame, show
from t4vcodec.media.frames import Frame
from t4vcodec.network import fec
from t4vcodec.network.channels import Channel
from t4vcodec.network.fec import Protected
from t4vcodec.network.stream import HEADER_BYTES

_PROTECTED_KEPT = 4


@dataclass(frozen=True)
class Chosen:
    """A candidate with the step of quality at which it meets the bytes."""

    candidate: Candidate
    step: int


@dataclass(frozen=True)
class Sent:
    """What a candidate sends of a clip."""

    bytes_media: int
    bytes_protection: int
    packets: int
    encode_seconds: float
    """Wall time that encoding took, protection not included."""

    @property
    def bytes_headers(self) -> int:
        return HEADER_BYTES * self.packets

    @property
    def total_bytes(self) -> int:
        return self.bytes_media + self.bytes_protection + self.bytes_headers


class Trials:
    """All candidates of one clip."""

    def __init__(self, clip: Clip, media: CodedMedia, cache: Cache, scores: FrameScores) -> None:
        self.clip, self.media = clip, media
        self._cache, self._scores = cache, scores
        self._protected: OrderedDict[Chosen, Protected] = OrderedDict()
        self._shown: dict[tuple[CodecSettings, int, bytes], float] = {}

    def total_bytes(self, candidate: Candidate, facts: Facts) -> int:
        """All bytes that sending an encode with a candidate's protection takes."""
        return facts.total_bytes + fec.overhead_bytes(facts.sizes, facts.keys, candidate.protection)

    def meet(self, candidate: Candidate, target: int, guess: int, grid: int = 1) -> Chosen | None:
        """The candidate at the quality that gives `target` bytes; None where none does within 2 %.

        guess: a step to begin with. grid: 1, or a wider one for a search: candidates of nearly equal overhead then
        share encodes, and the miss is up to half the grid.
        """

        def total(facts: Facts) -> int:
            return self.total_bytes(candidate, facts)

        try:
            tolerance = 0.02 if grid == 1 else 0.2
            step = self.media.step_for(candidate.settings, total, target, guess, grid, tolerance)
        except fec.FecError:
            return None  # more packets than the code can take
        return None if step is None else Chosen(candidate, step)

    def sent(self, chosen: Chosen) -> Sent:
        """Bytes and packets, from sizes alone."""
        facts = self.media.facts(chosen.candidate.settings, chosen.step)
        plan = fec.plan(facts.sizes, facts.keys, chosen.candidate.protection)
        return Sent(plan.media_bytes, plan.protection_bytes, len(plan.packet_sizes), facts.seconds)

    def searched(self, chosen: Chosen, channel: Channel, seeds: Sequence[int]) -> list[float]:
        """SSIM dB for each seed."""
        version = version_of("network", "eval/protocol.py", "eval/metrics.py", "eval/trials.py")
        candidate = chosen.candidate
        key = self.media.key(
            candidate.settings,
            chosen.step,
            protection=vars(candidate.protection),
            channel=channel.identity,
            name=self.clip.name,
            searched=version,
        )
        known: dict[str, float] = self._cache.get(key) or {}
        fresh = [seed for seed in seeds if str(seed) not in known]
        for seed in fresh:
            known[str(seed)] = self._quality(chosen, channel, seed)
        if fresh:
            self._cache.put(key, known)
        return [known[str(seed)] for seed in seeds]

    def _quality(self, chosen: Chosen, channel: Channel, seed: int) -> float:
        """SSIM dB of one run; whatever gives a decoder the same packets is decoded once."""
        delivery = self._deliver(chosen, channel, seed)
        digest = blake2b(digest_size=16)
        for payloads in delivery.payloads:
            digest.update(len(payloads).to_bytes(2, "big"))
            for payload in payloads:
                digest.update(len(payload).to_bytes(2, "big") + payload)
        place = chosen.candidate.settings, chosen.step, digest.digest()
        if place not in self._shown:
            self._shown[place] = self._show(chosen, delivery, None).score.ssim_db
        return self._shown[place]

    def played(
        self,
        chosen: Chosen,
        channel: Channel,
        seed: int,
        look: Callable[[int, Frame], None] | None = None,
    ) -> Run:
        """One run, with everything that a record holds."""
        return self._show(chosen, self._deliver(chosen, channel, seed), look)

    def lossless(self, chosen: Chosen, look: Callable[[int, Frame], None] | None = None) -> Run:
        """A run in which nothing is lost."""
        coded = self.media.coded(chosen.candidate.settings, chosen.step)
        packets = list(map(len, coded.frames))
        payloads, waits = coded.deliver(coded.frames, [0] * len(packets))
        return self._show(chosen, Delivery(payloads, waits, packets, [0] * len(packets)), look)

    def _show(self, chosen: Chosen, delivery: Delivery, look: Callable[[int, Frame], None] | None) -> Run:
        coded = self.media.coded(chosen.candidate.settings, chosen.step)
        return show(delivery, self.media.receiver(coded), self.clip, look, self._scores.add)

    def _deliver(self, chosen: Chosen, channel: Channel, seed: int) -> Delivery:
        """Real packets over the channel, and what decoding those that arrived gives back."""
        coded = self.media.coded(chosen.candidate.settings, chosen.step)
        protected = self._protect(chosen)
        fates = fates_of(protected.packets, self.clip, channel, seed)
        payloads, waits = coded.deliver(*protected.recovered(fates))
        sent, lost = losses_by_frame(protected.packets, fates, len(self.clip.frames))
        return Delivery(payloads, waits, sent, lost)

    def _protect(self, chosen: Chosen) -> Protected:
        if chosen not in self._protected:
            coded = self.media.coded(chosen.candidate.settings, chosen.step)
            self._protected[chosen] = fec.protect(
                coded.frames, coded.keys, self.clip.fps, chosen.candidate.protection
            )
            if len(self._protected) > _PROTECTED_KEPT:
                self._protected.popitem(last=False)
        self._protected.move_to_end(chosen)
        return self._protected[chosen]
