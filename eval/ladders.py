"""Quality without loss against bytes, of every configuration of one clip, at the price of few encodes.

A *ladder* is one configuration encoded at widely spaced qualities (rungs, about 1.6 times the bytes from one to the
next); frame by frame, logarithms of bytes and of 1 - SSIM are interpolated between rungs. *Variants* (another
structure of key frames, slices, a faster preset) are encoded once; what they differ by there, frame by frame, is
taken to hold on the whole ladder and at every scale. Good enough to say which candidates are worth decoding.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.eval.candidates import MEASURE, Menu
from t4vcodec.eval.coded_media import CodedMedia
from t4vcodec.eval.scheme import scaled_kbps

SPACING = 0.67
"""Between rungs, in halvings of the bytes."""
_MIDDLE_POINT = 300.0
"""Rate point (kbit/s at 854x480, 25 frames per second) at which variants are compared."""
_LEAST = 1e-6
"""Of 1 - SSIM, so that its logarithm exists."""


class Rung:
    """One encode: logarithms of bytes and of 1 - SSIM of each frame, (frames,) float."""

    def __init__(self, media: CodedMedia, settings: CodecSettings, step: int) -> None:
        self.log_bytes = np.log(np.maximum(media.facts(settings, step).frame_bytes, 1))
        self.log_loss = np.log(np.maximum(1 - np.array(media.lossless(settings, step).ssim_frames), _LEAST))


class Ladder:
    """One configuration of one clip; rungs are encoded when they are needed."""

    def __init__(self, media: CodedMedia, settings: CodecSettings) -> None:
        self.settings, self._media = settings, media
        codec = CODECS[settings.codec]
        whole = codec.between
        self._spacing = whole * max(1, round(SPACING * codec.doubling / codec.step / whole))
        self.last = media.last_step(settings) // self._spacing
        self._rungs: dict[int, Rung] = {}

    def step(self, position: float) -> int:
        """The step of quality nearest to a position (rungs count from 0, the best quality)."""
        return round(position * self._spacing)

    def rung(self, number: int) -> Rung:
        if number not in self._rungs:
            self._rungs[number] = Rung(self._media, self.settings, number * self._spacing)
        return self._rungs[number]

    def at(self, position: float) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of bytes and of 1 - SSIM of each frame, between rungs or on one."""
        low = min(math.floor(position), self.last - 1)
        part = position - low
        a, b = self.rung(low), self.rung(low + 1)
        return (
            (1 - part) * a.log_bytes + part * b.log_bytes,
            (1 - part) * a.log_loss + part * b.log_loss,
        )

    @cached_property
    def middle(self) -> int:
        """The rung whose bytes are nearest to those of `_MIDDLE_POINT`."""
        clip = self._media.clip
        kbps = scaled_kbps(_MIDDLE_POINT, clip.width, clip.height, clip.fps)
        wanted = math.log(kbps * 125 * clip.seconds)

        def above(number: int) -> float:
            return math.log(np.exp(self.rung(number).log_bytes).sum()) - wanted

        at = round(0.6 * self.last)
        step = 1 if above(at) > 0 else -1
        while 0 <= at + step <= self.last and above(at + step) * step > 0:
            at += step
        other = min(max(at + step, 0), self.last)
        return min((at, other), key=lambda number: (abs(above(number)), number))


class Curves:
    """Bytes and quality of any configuration of one clip at any position."""

    def __init__(self, media: CodedMedia, menu: Menu) -> None:
        self._media, self._menu = media, menu
        self._ladders: dict[CodecSettings, Ladder] = {}
        self._differences: dict[CodecSettings, tuple[np.ndarray, np.ndarray]] = {}

    def ladder(self, settings: CodecSettings) -> Ladder:
        """Of the representative of `settings` (without shared packets)."""
        chosen = self._menu.representative(settings)
        if chosen not in self._ladders:
            self._ladders[chosen] = Ladder(self._media, chosen)
        return self._ladders[chosen]

    def at(self, settings: CodecSettings, position: float) -> tuple[np.ndarray, np.ndarray]:
        """(frames,) bytes and (frames,) 1 - SSIM without loss, at a position of its ladder."""
        log_bytes, log_loss = self.ladder(settings).at(position)
        more_bytes, more_loss = self._difference(settings)
        return np.exp(log_bytes + more_bytes), np.minimum(np.exp(log_loss + more_loss), 1.0)

    def _difference(self, settings: CodecSettings) -> tuple[np.ndarray, np.ndarray]:
        """What a variant's logarithms differ by from its representative's."""
        if settings == self._menu.representative(settings):
            nothing = np.zeros(len(self._media.clip.frames))
            return nothing, nothing
        measured = self._stand_in(settings)
        if measured not in self._differences:
            ladder = self.ladder(measured)
            rung = ladder.rung(ladder.middle)
            variant = Rung(self._media, measured, ladder.step(ladder.middle))
            self._differences[measured] = (
                variant.log_bytes - rung.log_bytes,
                variant.log_loss - rung.log_loss,
            )
        return self._differences[measured]

    def _stand_in(self, settings: CodecSettings) -> CodecSettings:
        """The variant at full size and usual tune, where there is one."""
        same = (settings.codec, settings.preset, settings.gop, settings.slices)
        alike = [s for s in self._menu.settings if (s.codec, s.preset, s.gop, s.slices) == same]
        return min(alike, key=lambda s: (s.scale != 1, s.tune not in (MEASURE, None)))
