"""Pictures for the report: ours and the opponents that decide, side by side under the same losses."""

from __future__ import annotations

from collections.abc import Sequence

from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.exhibits import Exhibit, Take, load_exhibits, save_exhibits
from t4vcodec.eval.opponents import Opponents
from t4vcodec.eval.protocol import Run
from t4vcodec.eval.run_record import Play
from t4vcodec.eval.scheme_labels import HEADLINE, SOURCE
from t4vcodec.eval.summary import UNPROTECTED
from t4vcodec.eval.unit import Unit

CLIPS = 2
"""Clips of an evaluation that are shown."""
FRAMES = 12


def gallery(
    clip: Clip,
    ours: str,
    unit: Unit,
    opponents: Opponents | None,
    plays: Sequence[Play],
    total_bytes: int,
    cache: Cache,
) -> list[Exhibit]:
    """Consecutive frames from the middle of a clip, of the first seed of every channel.

    ours: our scheme's name. total_bytes: what ours sent. Kept as a file, so that they are decoded once.
    """
    plays = [play for play in plays if play.seed == 0]
    version = version_of("baselines", "eval", "network", "media")
    key = content_key(
        gallery=[unit.key(play) for play in plays], opponents=opponents is not None, version=version
    )
    path = cache.folder / key[:2] / f"{key[2:]}.npz"
    if not path.exists():
        save_exhibits(path, _collect(clip, ours, unit, opponents, plays, total_bytes))
    return load_exhibits(path)


def _collect(
    clip: Clip,
    ours: str,
    unit: Unit,
    opponents: Opponents | None,
    plays: Sequence[Play],
    total_bytes: int,
) -> list[Exhibit]:
    first = max(0, (len(clip.frames) - FRAMES) // 2)
    count = min(FRAMES, len(clip.frames))
    source = Take(first, count)
    for number, frame in enumerate(clip.frames):
        source(number, frame)
    found = [source.exhibit(clip.name, "", SOURCE, float(clip.fps))]

    def add(play: Play, scheme: str, note: str, take: Take, run: Run | None) -> None:
        if run is not None:
            part = slice(first, first + count)
            facts = {
                "note": note,
                "ssim": tuple(round(v, 5) for v in run.score.ssim_frames[part]),
                "losses": tuple(zip(run.delivery.lost[part], run.delivery.sent[part])),
            }
            found.append(take.exhibit(clip.name, play.channel.name, scheme, float(clip.fps), **facts))

    for play in plays:
        take = Take(first, count)
        add(play, ours, "", take, unit.look(play, take))
        if opponents is None:
            continue
        for scheme in HEADLINE:
            take = Take(first, count)
            note = opponents.describe(scheme, play.channel)
            add(play, scheme, note, take, opponents.look(scheme, play, take))
        if unit.with_x264:
            take = Take(first, count)
            run = unit.look_at_x264(play, total_bytes, take)
            add(play, UNPROTECTED, "x264-veryfast none", take, run)
    return found
