"""Names, seeds and splits of the rendered clips.

A clip is named `builtin:<split>/<action>-<number>`, for example `builtin:val/walk-00`. The name alone fixes
every byte of the clip: all random choices come from generators that are seeded by a hash of split, action and
number, so the splits can never share a seed.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np
from t4vcodec.errors import T4VError

ACTIONS: tuple[str, ...] = (
    "walk",
    "run",
    "jump",
    "wave",
    "sit_down",
    "stand_up",
    "fall",
    "kick",
    "punch",
    "pick_up",
    "put_down",
    "clap",
    "turn",
)
"""The actions, in the order of their class numbers."""

REVERSED: dict[str, str] = {"stand_up": "sit_down", "put_down": "pick_up"}
"""Actions that are another one played backwards: they differ from it by order in time only."""

SPLITS: tuple[str, ...] = ("train", "val", "test")
SCHEME = "builtin:"

_TRAIN_CLIPS_PER_ACTION = 4
_EXTRA_CLIPS = ("walk-01", "sit_down-01")
_NAME = re.compile(r"(?:builtin:)?([a-z]+)/([a-z_]+)-([0-9]{2,9})")


class RenderedError(T4VError):
    """A rendered clip was asked for that does not exist, or in a size or length that cannot be made."""


def check_split(split: str) -> str:
    """Return `split`; raise RenderedError unless it is train, val or test."""
    if split not in SPLITS:
        raise RenderedError(f"no rendered split {split!r}: use one of {', '.join(SPLITS)}")
    return split


def check_action(action: str) -> str:
    """Return `action`; raise RenderedError unless it is one of ACTIONS."""
    if action not in ACTIONS:
        raise RenderedError(f"no rendered action {action!r}: use one of {', '.join(ACTIONS)}")
    return action


def clip_names(split: str) -> list[str]:
    """Return the sources of a split in a fixed order: train has four clips per action, val and test 15 in
    all."""
    check_split(split)
    if split == "train":
        stems = [f"{action}-{i:02d}" for i in range(_TRAIN_CLIPS_PER_ACTION) for action in ACTIONS]
    else:
        stems = [f"{action}-00" for action in ACTIONS] + list(_EXTRA_CLIPS)
    return [f"{SCHEME}{split}/{stem}" for stem in stems]


def parse_name(name: str) -> tuple[str, str, int]:
    """Split `builtin:val/walk-00` (the scheme may be left out) into ("val", "walk", 0).

    Numbers beyond those of `clip_names` are valid too: they are further clips of the same split.

    Raises:
        RenderedError: the name has another form, or split or action are unknown.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise RenderedError(f"bad rendered clip {name!r}: names look like builtin:val/walk-00")
    split, action, number = match.groups()
    return check_split(split), check_action(action), int(number)


def generator(split: str, action: str, seed: int, purpose: str, frame: int = -1) -> np.random.Generator:
    """Return the generator for one purpose (body, motion, place, camera, noise ...) of one clip.

    One generator per purpose keeps the clips' places as they are when, say, the body learns a new attribute.
    """
    text = f"t4vcodec rendered 1/{split}/{action}/{seed}/{purpose}/{frame}"
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
