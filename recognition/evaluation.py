"""How good a recognizer is on a labelled set without loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from t4vcodec.errors import T4VError
from t4vcodec.recognition.datasets import ActionSet, class_numbers, read_frames
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import Recognizer
from t4vcodec.recognition.scoring import Estimate, balanced_accuracy, estimate


@dataclass(frozen=True)
class ClipAnswer:
    """What was said of one clip."""

    clip: str
    label: str
    said: str
    group: str
    scores: tuple[float, ...]

    @property
    def right(self) -> bool:
        return self.label == self.said


@dataclass(frozen=True)
class Evaluation:
    """A recognizer on a set."""

    set_name: str
    recognizer: str
    labels: tuple[str, ...]
    """The recognizer's."""
    answers: tuple[ClipAnswer, ...]
    problems: tuple[str, ...]
    """One line for each clip that did not decode; these count nowhere."""

    @property
    def accuracy(self) -> Estimate:
        """Share of right answers; its interval draws whole groups (recordings, sequences, rendered scenes)."""
        return estimate([a.right for a in self.answers], [a.group for a in self.answers])

    @property
    def balanced(self) -> float:
        """Mean over classes of the share of right answers."""
        return balanced_accuracy([a.label for a in self.answers], [a.right for a in self.answers])

    def by_class(self) -> dict[str, tuple[int, int]]:
        """Right answers and clips of each class."""
        counts: dict[str, tuple[int, int]] = {}
        for a in self.answers:
            right, all_ = counts.get(a.label, (0, 0))
            counts[a.label] = (right + a.right, all_ + 1)
        return dict(sorted(counts.items()))

    def confusion(self) -> dict[str, dict[str, int]]:
        """Of each class: what was said how often."""
        table: dict[str, dict[str, int]] = {}
        for a in self.answers:
            row = table.setdefault(a.label, {})
            row[a.said] = row.get(a.said, 0) + 1
        return table

    def told_apart(self, one: str, other: str) -> Estimate:
        """Share of clips of two classes whose own class scores higher than the other one, whatever a third has.

        Raises RecognitionError where there are no such clips.
        """
        mine = [a for a in self.answers if a.label in (one, other)]
        if not mine:
            raise RecognitionError(f"no clips of {one} and {other} in {self.set_name}")
        first, second = self.labels.index(one), self.labels.index(other)
        right = [(a.scores[first] > a.scores[second]) == (a.label == one) for a in mine]
        return estimate(right, [a.group for a in mine])


def evaluate(
    clips: ActionSet, recognizer: Recognizer, echo: Callable[[str], None] = lambda line: None
) -> Evaluation:
    """Score every clip. One that does not decode is told of, counted and left out.

    Raises RecognitionError: classes that the recognizer does not know, no clip that decodes.
    """
    class_numbers(clips.clips, recognizer.labels, recognizer.name)
    answers, problems = [], []
    for clip in clips.clips:
        try:
            frames, fps = read_frames(clip)
        except T4VError as error:
            problems.append(str(error))
            echo(f"left out: {error}")
            continue
        with torch.no_grad():
            scores = recognizer.scores(frames, float(fps))
        said = recognizer.labels[int(scores.argmax())]
        shown = tuple(round(float(s), 4) for s in scores)
        answers.append(ClipAnswer(clip.name, clip.label, said, clip.group or clip.name, shown))
    if not answers:
        raise RecognitionError(f"{clips.name}: none of its {len(problems)} clips decodes: {problems[0]}")
    return Evaluation(clips.name, recognizer.name, recognizer.labels, tuple(answers), tuple(problems))
