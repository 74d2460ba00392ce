"""Which clips are evaluated, what they show, and which recognizer looks at which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.task_scores import Task, Viewer
from t4vcodec.media.rendered.names import ACTIONS, parse_name
from t4vcodec.media.video import BUILTIN, VIDEO_ENDINGS, list_clips
from t4vcodec.recognition.datasets import ActionSet, Labelled, class_numbers, load_set, rendered_set

NOBODY = "none"
BUILTIN_CLIPS = 4
"""Rendered clips evaluated unless asked for more: enough for a first look within minutes."""
DEFAULT_VIEWER = "builtin:rendered"
"""Looks at rendered clips unless asked otherwise."""


@dataclass(frozen=True)
class Look:
    """What was asked for with --recognizer, --where and --labels."""

    recognizers: tuple[str, ...] | None = None
    """None: `DEFAULT_VIEWER` where clips are rendered, briefly; ("none",): nobody."""
    where: tuple[Mapping[str, str], ...] = ()
    """Which clips each recognizer is shown; one for all, or one for each."""
    labels: Path | None = None
    """A CSV of clips and labels."""

    def __post_init__(self) -> None:
        if self.recognizers is not None and NOBODY in self.recognizers and len(self.recognizers) > 1:
            raise EvalError("--recognizer none stands alone: name recognizers, or none")
        if (self.where or self.labels) and not self.asked:
            raise EvalError("--where and --labels belong to a --recognizer: name one")
        if len(self.where) not in (0, 1, len(self.recognizers or ())):
            raise EvalError(
                f"{len(self.where)} --where for {len(self.recognizers or ())} --recognizer: give one for each"
            )

    @property
    def asked(self) -> bool:
        """Whether recognizers were named."""
        return bool(self.recognizers) and NOBODY not in self.recognizers


@dataclass(frozen=True)
class Sources:
    """What is evaluated, in order, and what recognizers have to do with it."""

    sources: tuple[str, ...]
    tasks: dict[str, Task] = field(default_factory=dict)
    """By source."""
    is_set: bool = False
    """A labelled set: what of it does not decode is left out."""


def choose_sources(data: str, clips: int | None, look: Look) -> Sources:
    """At most `clips` clips of `data` (rendered ones: `BUILTIN_CLIPS` unless given) and who looks at them.

    Of a labelled set, so many are taken of each class, evenly spaced in its list. Raises T4VError: no clips, a
    recognizer that cannot be loaded or does not know a class, labels that name missing files or no clip of
    `data`, parts without clips.
    """
    rendered = data.startswith(BUILTIN)
    if not look.asked:
        limit = clips if clips is not None or not rendered else BUILTIN_CLIPS
        sources = tuple(list_clips(data)[:limit])
        if look.recognizers is not None or not rendered:
            return Sources(sources)
        viewer = Viewer.named(DEFAULT_VIEWER)
        return Sources(
            sources, {s: replace(_rendered_task(s), viewers=(viewer,), brief=True) for s in sources}
        )
    viewers = [Viewer.named(spec) for spec in look.recognizers]
    labelled = _labelled(data, clips, look)
    if labelled is None:
        if look.where:
            raise EvalError(f"{data}: has no labels, so --where finds nothing in it: leave it out")
        sources = tuple(list_clips(data)[:clips])
        return Sources(sources, {s: Task(tuple(dict.fromkeys(viewers)), group=s) for s in sources})
    parts = labelled.parts(look.where, len(viewers))
    for viewer, part in zip(viewers, parts):
        class_numbers([c for c in part.clips if c.label], viewer.recognizer.labels, viewer.spec)
    shown = {clip for part in parts for clip in part.clips}
    chosen = [clip for clip in labelled.clips if clip in shown]
    if clips is not None:
        chosen = spread(chosen, clips)
    names = Counter(map(_stem, chosen))
    tasks = {}
    for clip in chosen:
        stem = _stem(clip)
        place = clip.source if clip.start is None else f"{clip.source}@{clip.start:g}-{clip.end:g}"
        if place in tasks:
            raise EvalError(f"{place}: is listed twice: keep one of its lines")
        mine = tuple(dict.fromkeys(v for v, part in zip(viewers, parts) if clip in part.clips))
        name = f"{clip.label}/{stem}" if names[stem] > 1 else "" if clip.start is None else stem
        tasks[place] = Task(
            mine, clip.label or None, clip.group or clip.name, name, clip.source, clip.start, clip.end
        )
    return Sources(tuple(tasks), tasks, is_set=not rendered)


def _labelled(data: str, clips: int | None, look: Look) -> ActionSet | None:
    """The clips of `data` with their labels; None where nothing says any."""
    if data.startswith(BUILTIN):
        if look.labels is not None:
            raise EvalError("rendered clips are labelled by their names: leave --labels out")
        name = data.removeprefix(BUILTIN)
        if "/" in name:
            split, action, number = parse_name(name)
            one = Labelled(data, action, f"{action}-{number:02d}", split=split)
            return ActionSet(data, ACTIONS, (one,))
        wanted = clips or BUILTIN_CLIPS
        found = rendered_set(name, range(ceil(wanted / len(ACTIONS))))
        return replace(found, clips=found.clips[:wanted])
    if look.labels is None:
        return load_set(data) if _is_set(Path(data)) else None
    listed = load_set(look.labels)
    by_path = {Path(clip.source).resolve(): clip for clip in listed.clips}
    found = []
    for source in list_clips(data) if not _is_set(Path(data)) else [c.source for c in load_set(data).clips]:
        clip = by_path.get(Path(source).resolve())
        found.append(replace(clip, source=source) if clip else Labelled(source, ""))
    if not any(clip.label for clip in found):
        raise EvalError(f"{look.labels}: labels no clip of {data}: its paths count from its own folder")
    return replace(listed, clips=tuple(found))


def _stem(clip: Labelled) -> str:
    """Its name in records, unless another clip has it too."""
    stem = Path(clip.source).stem
    return stem if clip.start is None else f"{stem}@{clip.start:g}"


def _is_set(path: Path) -> bool:
    """Whether there are labels: a CSV, lists of UCF101, or folders; videos alone have none."""
    if path.is_file():
        return path.suffix.lower() == ".csv"
    if not path.is_dir():
        return False
    entries = [p for p in path.iterdir() if not p.name.startswith(".")]
    if any(p.suffix.lower() == ".csv" for p in entries) or any(p.name == "trainlist01.txt" for p in entries):
        return True
    videos = any(p.name.lower().endswith(VIDEO_ENDINGS) for p in entries)
    return not videos and any(p.is_dir() for p in entries)


def _rendered_task(source: str) -> Task:
    _, action, number = parse_name(source.removeprefix(BUILTIN))
    return Task(label=action, group=f"{action}-{number:02d}")


def spread(clips: Sequence[Labelled], count: int) -> list[Labelled]:
    """`count` of the clips (all, if there are not more), in the order of the list.

    As many of each class as of any other, or one more of the first ones. Of a class's list those at 0, 1/2, 1/4,
    3/4, 1/8, 5/8 and so on of its length (van der Corput's sequence), for the k-th of n classes shifted by k / 2n,
    lest all come from the same recordings: few or many, they are spread evenly, and more contain the fewer.
    """
    by_class: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        by_class.setdefault(clip.label, []).append(number)
    orders = {
        label: [numbers[i] for i in _spaced(len(numbers), k / (2 * len(by_class)))]
        for k, (label, numbers) in enumerate(sorted(by_class.items()))
    }
    ranked = [(rank, label) for label, order in orders.items() for rank in range(len(order))]
    kept = {orders[label][rank] for rank, label in sorted(ranked)[:count]}
    return [clip for number, clip in enumerate(clips) if number in kept]


def _spaced(length: int, shift: float) -> list[int]:
    """0 to `length` - 1 in the order of van der Corput's sequence in base 2, shifted by a share of the length."""
    bits = max(1, (length - 1).bit_length())
    parts = (int(f"{i:0{bits}b}"[::-1], 2) / 2**bits for i in range(2**bits))
    return list(dict.fromkeys(int((part + shift) % 1 * length) for part in parts))
