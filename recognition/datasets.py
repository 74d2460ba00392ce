"""Sets of labelled clips: what the files on a disk say about which clip shows what.

    layout                                 how it is known
    builtin:train, builtin:val ...         rendered clips (`numbers` clips of each action)
    DIR/labels.csv                         header with `clip,label`, also `group`, `place`, `split`: whole clips
    DIR/segments.csv, any FILE.csv         header with `video,label,start,end` (seconds), also `group`, `split`
    DIR/*.csv of Kinetics                  header with `label,youtube_id,time_start,time_end,split`
    DIR/[ucfTrainTestlist/]trainlist01.txt  UCF101: class folders, split files, groups in the names (v_X_g01_c01)
    DIR/train/CLASS/*, DIR/val/CLASS/*     a folder per split and class (also how Kinetics is often stored)
    DIR/CLASS/*                            a folder per class

The first that fits is taken. Nothing is decoded here; `read_frames` does that, clip by clip.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from t4vcodec.media import open_video, to_rgb
from t4vcodec.media.rendered import ACTIONS
from t4vcodec.media.rendered.names import check_split
from t4vcodec.media.video import VIDEO_ENDINGS
from t4vcodec.recognition.errors import RecognitionError

SPLITS = ("train", "val", "test")
_RENDERED_NUMBERS = 20
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_UCF_NAME = re.compile(r"v_(.+)_g(\d+)_c(\d+)")


@dataclass(frozen=True)
class Labelled:
    """One labelled stretch of video."""

    source: str
    """What `open_video` opens."""
    label: str
    group: str = ""
    """Clips of one recording, person or scene share it; resampling and held-out parts go by it."""
    place: str = ""
    split: str = ""
    """train, val, test, or nothing where the set has no splits."""
    start: float | None = None
    """Seconds into the file; None: from its beginning."""
    end: float | None = None
    """Seconds into the file; None: to its end."""

    @property
    def name(self) -> str:
        """For reports: file name, with the stretch where there is one."""
        name = self.source if self.source.startswith("builtin:") else Path(self.source).name
        return name if self.start is None else f"{name}@{self.start:g}"


@dataclass(frozen=True)
class ActionSet:
    """Labelled clips and their classes."""

    name: str
    labels: tuple[str, ...]
    """Classes, in the order of their numbers: those of the whole set, whatever was left out since."""
    clips: tuple[Labelled, ...]

    def where(self, **values: str) -> ActionSet:
        """The clips whose split, place, group or label is this; raises RecognitionError if there are none."""
        known = ("split", "place", "group", "label")
        for name in values:
            if name not in known:
                raise RecognitionError(f"{self.name}: clips have no {name!r}: use one of {', '.join(known)}")
        clips = tuple(c for c in self.clips if all(getattr(c, k) == v for k, v in values.items()))
        if not clips:
            asked = ", ".join(f"{k} {v!r}" for k, v in values.items())
            raise RecognitionError(f"{self.name}: no clip has {asked}: look at its list of labels")
        return replace(self, clips=clips)

    def parts(self, wheres: Sequence[Mapping[str, str]], count: int) -> list[ActionSet]:
        """What each of `count` recognizers looks at: `where` of one for all of them, of one each, or of none.

        Raises RecognitionError for any other number, or where a part has no clips.
        """
        if len(wheres) not in (0, 1, count):
            raise RecognitionError(f"{len(wheres)} --where for {count} --recognizer: give one for each")
        found = [self.where(**values) for values in wheres] or [self]
        return found if len(found) == count else found * count

    def hold_out(self, share: float, seed: int = 0) -> tuple[ActionSet, ActionSet]:
        """Two parts without a common group, the second with about `share` of the clips of each class.

        A clip without a group is a group. Raises RecognitionError where the second would be empty.
        """
        groups: dict[str, list[Labelled]] = {}
        for clip in self.clips:
            groups.setdefault(clip.group or clip.source, []).append(clip)

        def key(name: str) -> bytes:
            return hashlib.sha256(f"{seed}/{name}".encode()).digest()

        counts = {label: sum(c.label == label for c in self.clips) for label in self.labels}
        out: dict[str, int] = dict.fromkeys(self.labels, 0)
        chosen: set[str] = set()
        for name in sorted(groups, key=key):
            here = groups[name]
            wanted = [c for c in here if out[c.label] + 1 <= share * counts[c.label] + 0.5]
            if 2 * len(wanted) > len(here) and len(chosen) + 1 < len(groups):
                chosen.add(name)
                for clip in here:
                    out[clip.label] += 1
        if not chosen:
            raise RecognitionError(
                f"{self.name}: too few groups of clips to hold some out: give a split 'val'"
            )
        kept = tuple(c for c in self.clips if (c.group or c.source) not in chosen)
        held = tuple(c for c in self.clips if (c.group or c.source) in chosen)
        return replace(self, clips=kept), replace(self, clips=held)


def load_set(data: str | Path, numbers: int = _RENDERED_NUMBERS) -> ActionSet:
    """The set in a folder, CSV file or `builtin:<split>` (that many clips of each action there).

    Raises RecognitionError: nothing that looks like a set, a class without clips, labels naming missing files,
    a CSV without the columns it needs, another split than train, val or test.
    """
    text = str(data)
    if text.startswith("builtin:"):
        return rendered_set(text.removeprefix("builtin:"), range(numbers))
    path = Path(data)
    if path.is_file():
        return _from_csv(path)
    if not path.is_dir():
        raise RecognitionError(
            f"{data}: there is no such folder or CSV file of labelled clips: check the path"
        )
    for name in ("labels.csv", "segments.csv"):
        if (path / name).is_file():
            return _from_csv(path / name)
    lists = _ucf_lists(path)
    if lists:
        return _from_ucf(path, lists)
    tables = sorted(path.glob("*.csv"))
    if tables:
        sets = [_from_csv(table) for table in tables]
        return _checked(path.name, [c for s in sets for c in s.clips])
    return _from_folders(path)


def rendered_set(split: str, numbers: range) -> ActionSet:
    """Rendered clips of every action. Raises RenderedError for an unknown split."""
    check_split(split)
    clips = [
        Labelled(f"builtin:{split}/{action}-{n:02d}", action, group=f"{action}-{n:02d}", split=split)
        for n in numbers
        for action in ACTIONS
    ]
    return ActionSet(f"builtin:{split}", ACTIONS, tuple(clips))


def read_frames(clip: Labelled, short_side: int | None = None) -> tuple[np.ndarray, Fraction]:
    """Decode a clip: (T, H, W, 3) uint8 R'G'B' and its rate; scaled down so that its short side is `short_side`.

    Raises T4VError (of media) for what cannot be decoded, RecognitionError where the stretch holds no frame.
    """
    with open_video(clip.source) as video:
        fps = video.info.fps
        frames = []
        for frame in video:
            if clip.start is not None and frame.time < clip.start - 1e-6:
                continue
            if clip.end is not None and frame.time >= clip.end - 1e-6:
                break
            rgb = to_rgb(frame)
            frames.append(rgb if short_side is None else shrunk(rgb, short_side))
    if not frames:
        raise RecognitionError(f"{clip.name}: no frame lies in {clip.start} to {clip.end} s: check its times")
    return np.stack(frames), fps


def shrunk(rgb: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, 3) uint8 scaled down, low-pass filtered; itself where it is small enough."""
    from PIL import Image

    height, width = rgb.shape[:2]
    factor = short_side / min(height, width)
    if factor >= 1:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))


def class_numbers(clips: Sequence[Labelled], labels: Sequence[str], what: str) -> list[int]:
    """The class of each clip in `labels`, a recognizer's. Raises RecognitionError for labels it does not know."""
    unknown = sorted({c.label for c in clips} - set(labels))
    if unknown:
        raise RecognitionError(
            f"{what} does not know the class{'es' if len(unknown) > 1 else ''} {', '.join(unknown)}: "
            f"its classes are {_some(labels)}"
        )
    return [labels.index(c.label) for c in clips]


def _from_csv(path: Path) -> ActionSet:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecognitionError(f"{path}: cannot be read as a CSV of labels: {error}") from error
    if not rows:
        raise RecognitionError(f"{path}: lists no clips: give a header and one line a clip")
    columns = set(rows[0])
    if {"clip", "label"} <= columns:
        clips = [_clip_row(path, row) for row in rows]
    elif {"video", "label", "start", "end"} <= columns:
        clips = [_segment_row(path, row, number) for number, row in enumerate(rows, 2)]
    elif {"label", "youtube_id", "time_start", "time_end"} <= columns:
        clips = [_kinetics_row(path, row, number) for number, row in enumerate(rows, 2)]
    else:
        raise RecognitionError(
            f"{path}: columns {', '.join(sorted(map(str, columns)))} are not those of a set: give clip,label or "
            "video,label,start,end or label,youtube_id,time_start,time_end"
        )
    name = path.parent.name if path.stem in ("labels", "segments") else path.stem
    return _checked(name, clips)


def _clip_row(path: Path, row: dict[str, str]) -> Labelled:
    return Labelled(
        str(path.parent / (row["clip"] or "")),
        row["label"] or "",
        row.get("group") or "",
        row.get("place") or "",
        _split(row.get("split") or "", path),
    )


def _segment_row(path: Path, row: dict[str, str], line: int) -> Labelled:
    start, end = (_seconds(row[name], path, line) for name in ("start", "end"))
    if not 0 <= start < end:
        raise RecognitionError(f"{path}, line {line}: a segment from {start:g} to {end:g} s is none: mend it")
    video = row["video"] or ""
    return Labelled(
        str(path.parent / video),
        row["label"] or "",
        row.get("group") or video,
        row.get("place") or "",
        _split(row.get("split") or "", path),
        start,
        end,
    )


def _kinetics_row(path: Path, row: dict[str, str], line: int) -> Labelled:
    start, end = (_seconds(row[name], path, line) for name in ("time_start", "time_end"))
    split = _split(row.get("split") or path.stem, path)
    stem = f"{row['youtube_id']}_{int(start):06d}_{int(end):06d}"
    label = row["label"] or ""
    folders = [
        path.parent / p for p in (f"{split}/{label}", label, split, f"{split}/{label.replace(' ', '_')}", "")
    ]
    for folder in folders:
        for ending in (".mp4", ".mkv", ".webm", ".avi"):
            if (folder / (stem + ending)).is_file():
                return Labelled(str(folder / (stem + ending)), label, row["youtube_id"], "", split)
    return Labelled(str(path.parent / split / label / f"{stem}.mp4"), label, row["youtube_id"], "", split)


def _ucf_lists(path: Path) -> dict[str, Path]:
    for folder in (path / "ucfTrainTestlist", path):
        found = {split: folder / f"{split}list01.txt" for split in ("train", "test")}
        if all(file.is_file() for file in found.values()):
            return found
    return {}


def _from_ucf(path: Path, lists: dict[str, Path]) -> ActionSet:
    clips = []
    for split, file in lists.items():
        for line in file.read_text(encoding="utf-8").split("\n"):
            # Training lists add the class number after the name.
            name = line.strip().split(" ")[0]
            if not name:
                continue
            match = _UCF_NAME.match(Path(name).stem)
            group = f"{match[1]}-{match[2]}" if match else name
            source = path / name if (path / name).is_file() else path / "UCF-101" / name
            clips.append(Labelled(str(source), name.split("/")[0], group, "", split))
    return _checked(path.name, clips)


def _from_folders(path: Path) -> ActionSet:
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    splits = {p: _SPLIT_NAMES[p.name.lower()] for p in folders if p.name.lower() in _SPLIT_NAMES}
    clips = []
    roots = list(splits.items()) if splits else [(path, "")]
    for root, split in roots:
        for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
            files = sorted(f for f in folder.iterdir() if f.name.lower().endswith(VIDEO_ENDINGS))
            if not files:
                raise RecognitionError(f"{folder}: a class without clips: add some or take the folder away")
            clips += [Labelled(str(file), folder.name, _group(file), "", split) for file in files]
    if not clips:
        raise RecognitionError(
            f"{path}: no labelled clips: give a folder per class, a labels.csv, or a layout of Kinetics or UCF101"
        )
    return _checked(path.name, clips)


def _group(file: Path) -> str:
    match = _UCF_NAME.match(file.stem)
    return f"{match[1]}-{match[2]}" if match else file.stem


def _checked(name: str, clips: list[Labelled]) -> ActionSet:
    if any(not c.label for c in clips):
        raise RecognitionError(f"{name}: a clip has no label: every line needs one")
    missing = [c.source for c in clips if not Path(c.source).exists()]
    if missing:
        raise RecognitionError(
            f"{name}: {len(missing)} of {len(clips)} labelled files are missing: {_some(missing)}: check the paths"
        )
    return ActionSet(name, tuple(sorted({c.label for c in clips})), tuple(clips))


def _split(name: str, path: Path) -> str:
    if name and name.lower() not in _SPLIT_NAMES:
        raise RecognitionError(f"{path}: split {name!r} is none of {', '.join(SPLITS)}")
    return _SPLIT_NAMES.get(name.lower(), "")


def _seconds(text: str | None, path: Path, line: int) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise RecognitionError(f"{path}, line {line}: {text!r} is no number of seconds") from None


def _some(names: Sequence[str], limit: int = 5) -> str:
    listed = ", ".join(names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"
