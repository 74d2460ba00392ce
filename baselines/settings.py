"""Which standard codecs there are, how they can be set, and which settings a search should try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import av
from t4vcodec.errors import T4VError


class BaselineError(T4VError):
    """A standard codec cannot be run as asked."""


@dataclass(frozen=True)
class Codec:
    """A standard codec as FFmpeg's libraries have it."""

    encoder: str
    decoder: str
    lowest: float
    """Best quality of its scale (constant rate factor or quantiser)."""
    highest: float
    step: float
    """Spacing of the qualities that a search tries: about 1 % of the bytes."""
    between: int
    """Steps from one quality that the encoder itself knows to the next."""
    doubling: float
    """By how much quality falls, roughly, where bytes halve."""
    presets: tuple[str, ...]
    tunes: tuple[str | None, ...]
    gops: tuple[str, ...]
    least_side: int
    """Smaller pictures are padded: SVT-AV1 4.1 writes beyond its memory below 64."""


_ALL_GOPS = ("infinite", "refresh", "second")
_KEY_GOPS = ("infinite", "second")

CODECS = {
    "x264": Codec(
        encoder="libx264",
        decoder="h264",
        lowest=1.0,
        highest=51.0,
        step=0.1,
        between=1,
        doubling=6.0,
        presets=("veryfast", "medium"),
        tunes=(None, "ssim", "psnr"),
        gops=_ALL_GOPS,
        least_side=16,
    ),
    "x265": Codec(
        encoder="libx265",
        decoder="hevc",
        lowest=1.0,
        highest=51.0,
        step=0.1,
        between=1,
        doubling=6.0,
        presets=("medium",),
        tunes=(None, "ssim", "psnr"),
        gops=_ALL_GOPS,
        least_side=64,
    ),
    "av1": Codec(
        encoder="libsvtav1",
        decoder="libdav1d",
        lowest=1.0,
        highest=70.0,
        step=0.25,
        between=1,
        doubling=8.0,
        presets=("8",),
        tunes=(None,),
        gops=_KEY_GOPS,
        least_side=64,
    ),
    "vp9": Codec(
        encoder="libvpx-vp9",
        decoder="vp9",
        lowest=2.0,
        highest=63.95,
        step=0.05,
        between=20,
        doubling=8.0,
        presets=("5", "6", "7"),
        tunes=(None,),
        gops=_KEY_GOPS,
        least_side=64,
    ),
}
"""The baselines by name."""

SCALES = (Fraction(1), Fraction(2, 3), Fraction(1, 2))


@dataclass(frozen=True)
class CodecSettings:
    """One configuration of a standard codec. Raises `BaselineError` on one that doesn't exist."""

    codec: str
    """One of `CODECS`."""
    preset: str
    """x264's and x265's name, SVT-AV1's number, libvpx's cpu-used."""
    tune: str | None = None
    """"ssim", "psnr" or None."""
    scale: Fraction = Fraction(1)
    """Coded width over shown width, one of `SCALES`; the receiver scales up."""
    gop: str = "infinite"
    """"infinite": one key frame; "refresh": intra blocks sweep over the picture once a second; "second": a key
    frame each second."""
    slices: bool = False
    """True: what is left after losses decodes better. x264 cuts slices that decode alone, each in a packet; x265
    predicts no motion from older pictures' motion (costs 0.0 to 0.1 dB); VP9 is error resilient (0.1 to 0.3 dB).
    False: compresses best. All but x264's slices are one unit a frame, cut into equal parts."""
    share: int = 1
    """Frames that travel together and share packets, which saves headers of small frames; the first of them
    waits `share` - 1 frames."""

    def __post_init__(self) -> None:
        codec = CODECS.get(self.codec)
        if codec is None:
            raise BaselineError(_unknown(self.codec))
        for what, value, known in (
            ("preset", self.preset, codec.presets),
            ("tune", self.tune, codec.tunes),
            ("scale", self.scale, SCALES),
            ("gop", self.gop, codec.gops),
        ):
            if value not in known:
                raise BaselineError(f"{self.codec} has no {what} {value}: take {_list(known)}")
        if self.codec == "av1" and self.slices:
            raise BaselineError("SVT-AV1 has no error resilience: av1 takes slices=False")
        if not 1 <= self.share <= MAX_SHARE:
            raise BaselineError(f"1 to {MAX_SHARE} frames can share packets, not {self.share}")
        if self.share > 1 and self.slices and self.codec == "x264":
            raise BaselineError(
                "slices that decode alone share packets within their frame only: take share=1"
            )

    @property
    def name(self) -> str:
        """Short and unique: ``x264-medium-ssim-half-refresh-slices-share4``, parts at their default left out."""
        parts = [self.codec, self.preset]
        parts += [self.tune] if self.tune else []
        parts += [_SCALE_NAMES[self.scale]] if self.scale != 1 else []
        parts += [self.gop] if self.gop != "infinite" else []
        parts += ["slices" if self.codec == "x264" else "resilient"] if self.slices else []
        parts += [f"share{self.share}"] if self.share > 1 else []
        return "-".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` reads it."""
        return asdict(self) | {"scale": str(self.scale)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> CodecSettings:
        """The inverse of `as_dict`."""
        return CodecSettings(**values | {"scale": Fraction(values["scale"])})


MAX_SHARE = 8
_SCALE_NAMES = {Fraction(2, 3): "twothirds", Fraction(1, 2): "half"}


def _list(values: Sequence[object]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last


def _unknown(name: str) -> str:
    return f"unknown baseline '{name}': take some of {', '.join(CODECS)}"


def check_available(codecs: Sequence[str]) -> None:
    """Raises `BaselineError`, naming the codec, if one is unknown or not in this build of FFmpeg's libraries."""
    for name in codecs:
        if name not in CODECS:
            raise BaselineError(_unknown(name))
        for library, mode, what in (
            (CODECS[name].encoder, "w", "encoder"),
            (CODECS[name].decoder, "r", "decoder"),
        ):
            try:
                av.Codec(library, mode)
            except av.codec.codec.UnknownCodecError:
                raise BaselineError(
                    f"baseline '{name}' needs FFmpeg's {what} {library}, which this build of PyAV lacks: install"
                    f" PyAV's own wheel (pip install --force-reinstall --only-binary av av) or leave {name} out"
                ) from None


def candidates(codecs: Sequence[str], measure: str, share: int = 1) -> tuple[CodecSettings, ...]:
    """Settings worth trying where `measure` ("ssim" or "psnr") decides, the likely best first.

    share: frames that may share packets; above 1, each setting that can comes also with that. Raises
    `BaselineError` on unknown codecs or measures.
    """
    if measure not in ("ssim", "psnr"):
        raise BaselineError(f"unknown measure '{measure}': take ssim or psnr")
    for name in codecs:
        if name not in CODECS:
            raise BaselineError(_unknown(name))
    found = [s for name in dict.fromkeys(codecs) for s in _of(name, measure)]
    if share > 1:
        found += [
            CodecSettings(**vars(s) | {"share": share}) for s in found if not (s.slices and s.codec == "x264")
        ]
    return tuple(sorted(found, key=_unlikely))


def _of(name: str, measure: str) -> list[CodecSettings]:
    full, half = SCALES[0], SCALES[2]
    usual, gops = CODECS[name].presets[0], CODECS[name].gops
    # On quiet clips tune=psnr gives the higher SSIM too: it drops what is done for the eye alone.
    tunes = ("ssim", "psnr") if measure == "ssim" else ("psnr",)
    if name == "x264":
        grid = [("medium", measure, scale, slices, gops) for scale in SCALES for slices in (False, True)]
        grid += [("medium", tune, scale, False, gops) for tune in tunes[1:] for scale in SCALES]
        grid += [("veryfast", measure, full, slices, gops) for slices in (False, True)]
    elif name == "x265":
        grid = [(usual, tune, scale, True, gops) for tune in tunes for scale in (full, half)]
        grid += [(usual, measure, full, False, gops[:1])]
    else:
        cuts = (False,) if name == "av1" else (False, True)
        grid = [(usual, None, scale, slices, gops) for scale in (full, half) for slices in cuts]
    return [
        CodecSettings(name, preset, tune, scale, gop, slices)
        for preset, tune, scale, slices, possible in grid
        for gop in possible
    ]


def _unlikely(settings: CodecSettings) -> tuple[int, ...]:
    return (
        ("infinite", "second", "refresh").index(settings.gop),
        settings.slices and settings.codec == "x264",
        settings.preset == "veryfast",
        ("av1", "x265", "x264", "vp9").index(settings.codec),
    )
