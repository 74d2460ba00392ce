"""What an opponent may choose from: settings of a standard codec, and a protection around its packets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from t4vcodec.baselines.settings import CODECS, CodecSettings, candidates
from t4vcodec.network.fec import RESERVE, Protection
from t4vcodec.network.stream import MAX_PAYLOAD

MEDIA_PAYLOAD = MAX_PAYLOAD - RESERVE
"""Largest media payload in bytes. Unprotected packets could have some bytes more (below 0.1 % of all bytes); one
limit for all lets an encode serve every protection."""

MEASURE = "ssim"
"""What codecs are tuned for and opponents chosen by: the headline's measure."""

SHARE = 4
"""Frames that share packets where 3 frames of delay are allowed."""

REDUNDANCIES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
"""(n - k) / k that a search tries."""

CODES = (
    *(("rs", block, key) for block in (1, 2, 4) for key in (1.0, 2.0)),
    *(("streaming", window, 1.0) for window in (1, 2, 4)),
    ("streaming", 4, 2.0),
)
"""Kind, frames and factor for key frames that a search tries, each at all `REDUNDANCIES`."""

NONE = Protection("none")


@dataclass(frozen=True)
class Candidate:
    """One configuration of an opponent."""

    settings: CodecSettings
    protection: Protection = NONE

    @property
    def name(self) -> str:
        """As in ``x264-medium-ssim rs:0.5:4``."""
        return f"{self.settings.name} {self.protection.name}"

    @cached_property
    def delay_frames(self) -> int:
        """Frames that a frame waits at most, for those it shares packets with and for its protection."""
        share, protection = self.settings.share, self.protection
        if protection.kind != "rs":
            return share - 1 + protection.delay_frames
        block = protection.block

        def shown(frame: int) -> int:
            carrier = frame - frame % share + share - 1
            return carrier - carrier % block + block - 1

        return max(shown(frame) - frame for frame in range(math.lcm(share, block)))

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` reads it."""
        return {"settings": self.settings.as_dict(), "protection": vars(self.protection).copy()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Candidate:
        """The inverse of `as_dict`."""
        return Candidate(CodecSettings.from_dict(values["settings"]), Protection(**values["protection"]))


def protection(code: tuple[str, int, float], redundancy: float) -> Protection:
    """One of `CODES` at a redundancy."""
    kind, block, key_factor = code
    return Protection(kind, redundancy, block, key_factor)


class Menu:
    """The settings of some codecs, in order: which are measured at many rates, which only by their difference."""

    def __init__(self, codecs: Sequence[str]) -> None:
        self.settings = candidates(codecs, MEASURE)
        """All, without shared packets."""
        self.representatives = tuple(dict.fromkeys(map(self.representative, self.settings)))
        """One for each codec, tune and scale."""

    def representative(self, settings: CodecSettings) -> CodecSettings:
        """The one of the same codec, tune and scale that is measured at many rates."""
        usual = CODECS[settings.codec].presets
        return next(
            s
            for s in sorted(self.settings, key=lambda s: s.preset != _usual(s.codec, usual))
            if (s.codec, s.tune, s.scale) == (settings.codec, settings.tune, settings.scale)
            and s.gop == "infinite"
        )

    def variants(self, settings: CodecSettings) -> list[CodecSettings]:
        """All of the same codec, tune and scale."""
        same = (settings.codec, settings.tune, settings.scale)
        return [s for s in self.settings if (s.codec, s.tune, s.scale) == same]

    def plain(self, codec: str) -> CodecSettings:
        """What a single configuration of a codec uses: the first representative at full size."""
        return next(s for s in self.representatives if s.codec == codec and s.scale == 1)


def _usual(codec: str, presets: Sequence[str]) -> str:
    return "medium" if "medium" in presets else presets[0]
