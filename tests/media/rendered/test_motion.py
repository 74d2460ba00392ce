"""Names, splits and motion of the rendered clips."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.errors import T4VError
from t4vcodec.media.rendered import ACTIONS, REVERSED, SPLITS, RenderedError, clip_names, parse_name
from t4vcodec.media.rendered.actions import draw_motion
from t4vcodec.media.rendered.direction import stage
from t4vcodec.media.rendered.names import generator
from t4vcodec.media.rendered.pools import POOLS
from t4vcodec.media.rendered.skeleton import CHANNELS, INDEX, JOINTS, solve

BONES = [
    ("neck", "head"),
    ("chest", "neck"),
    ("pelvis", "chest"),
    *(
        (f"{s}_{a}", f"{s}_{b}")
        for s in ("left", "right")
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
    ),
    *((f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"))),
]


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_names_parse_and_are_disjoint() -> None:
    seen: set[str] = set()
    for split in SPLITS:
        names = clip_names(split)
        assert len(names) == len(set(names)) == (52 if split == "train" else 15)
        assert {parse_name(name)[1] for name in names} == set(ACTIONS)
        assert all(parse_name(name)[0] == split for name in names)
        assert not seen & set(names)
        seen |= set(names)
    assert len(ACTIONS) >= 12
    assert parse_name("builtin:val/walk-00") == ("val", "walk", 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "builtin:",
        "builtin:val",
        "builtin:val/walk",
        "builtin:dev/walk-00",
        "builtin:val/fly-00",
        "builtin:val/walk-x",
        "builtin:val/walk-00/",
        "val/walk-0",
    ],
)
def test_bad_names_are_refused_in_words(name: str) -> None:
    with pytest.raises(RenderedError) as caught:
        parse_name(name)
    assert isinstance(caught.value, T4VError)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(RenderedError):
        parse_name(text)


def test_pools_have_nothing_in_common() -> None:
    for i, one in enumerate(SPLITS):
        for other in SPLITS[:i]:
            a, b = POOLS[one], POOLS[other]
            for field in dataclasses.fields(a):
                left, right = getattr(a, field.name), getattr(b, field.name)
                if field.name in ("height", "build", "tempo"):
                    assert left[1] < right[0] or right[1] < left[0], field.name
                elif field.name == "hues":
                    assert all(p[1] <= q[0] or q[1] <= p[0] for p in left for q in right)
                else:
                    assert not set(left) & set(right), field.name


def test_generators_of_purposes_differ() -> None:
    keys = [
        ("train", "walk", 0, "body"),
        ("val", "walk", 0, "body"),
        ("train", "walk", 1, "body"),
        ("train", "walk", 0, "place"),
    ]
    assert len({generator(*key).integers(1 << 60) for key in keys}) == len(keys)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.8, 1.3))
def test_reversed_actions_are_exact_reversals(seed: int, tempo: float) -> None:
    for backward, forward in REVERSED.items():
        there, back = draw_motion(forward, _rng(seed), tempo), draw_motion(backward, _rng(seed), tempo)
        assert there.duration == back.duration
        assert there.thing == back.thing
        t = np.linspace(-0.3, there.duration + 0.3, 40)
        one, two = there.channels(there.duration - t), back.channels(t)
        for name in CHANNELS:
            assert np.array_equal(one[name], two[name])


def test_pairs_move() -> None:
    for action in (*REVERSED, *REVERSED.values()):
        motion = draw_motion(action, _rng(1), 1.0)
        channels = motion.channels(np.array([0.0, motion.duration]))
        ends = {name: abs(values[1] - values[0]) for name, values in channels.items()}
        assert max(ends.values()) > 0.15


@pytest.mark.parametrize("action", ACTIONS)
def test_joints_stay_plausible(action: str) -> None:
    """Bones keep their lengths, nothing sinks into the floor, nothing jumps, for several performances."""
    t = np.linspace(-0.5, 3.5, 401)
    for seed in range(6):
        motion = draw_motion(action, _rng(seed), 1.0)
        joints = solve(motion.channels(t), 1.7, 0.4, (0.0, 0.0), motion.goals_in_chest).joints
        assert np.isfinite(joints).all()
        for a, b in BONES:
            lengths = np.linalg.norm(joints[:, INDEX[a]] - joints[:, INDEX[b]], axis=1)
            if (a, b) in (("neck", "head"),):
                assert lengths.min() > 0.08
                continue
            assert np.ptp(lengths) < 1e-6, (a, b)
        assert joints[:, :, 1].min() > -0.02, (seed, JOINTS[int(joints[:, :, 1].min(axis=0).argmin())])
        assert joints[:, :, 1].max() < 2.7
        speeds = np.linalg.norm(np.diff(joints, axis=0), axis=2) / (t[1] - t[0])
        assert speeds.max() < 16.0


@pytest.mark.parametrize("action", ["walk", "run"])
def test_planted_feet_do_not_slide(action: str) -> None:
    """While an ankle is at its lowest it moves less than a tenth as fast as the body."""
    t = np.linspace(0, 3, 601)
    for seed in range(4):
        motion = draw_motion(action, _rng(seed), 1.0)
        joints = solve(motion.channels(t), 1.7, 0.0, (0.0, 0.0), motion.goals_in_chest).joints
        step = np.linalg.norm(np.diff(joints, axis=0), axis=2)
        body = step[:, INDEX["pelvis"]].mean()
        for side in ("left", "right"):
            height = joints[1:, INDEX[f"{side}_ankle"], 1]
            planted = height < height.min() + 0.004
            assert planted.mean() > 0.1
            assert np.median(step[planted, INDEX[f"{side}_ankle"]]) < 0.1 * body


def test_arms_swing_against_legs() -> None:
    t = np.linspace(0, 3, 301)
    motion = draw_motion("walk", _rng(5), 1.0)
    channels = motion.channels(t)
    joints = solve(channels, 1.7, 0.0, (0.0, 0.0), False).joints
    ahead = joints[:, :, 2] - joints[:, INDEX["pelvis"], 2][:, None]
    for side in ("left", "right"):
        swing = np.corrcoef(ahead[:, INDEX[f"{side}_wrist"]], ahead[:, INDEX[f"{side}_ankle"]])[0, 1]
        assert swing < -0.6


def test_a_load_goes_with_the_hands() -> None:
    scene = stage("pick_up", 0, "train", (176, 144), 25, 60)
    load = scene.figure.rows[:, scene.figure.owners == 2, 0:3]
    hands = scene.posture.joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]]].mean(axis=1)
    assert load[0, 0, 1] < 0.25 < load[-1, 0, 1]
    assert np.linalg.norm(load[-1, 0] - hands[-1]) < 0.4
    assert np.abs(np.diff(load, axis=0)).max() < 0.15


def test_seats_are_under_who_sits() -> None:
    for action, frame in (("sit_down", -1), ("stand_up", 0)):
        scene = stage(action, 0, "val", (176, 144), 25, 75)
        rows = scene.figure.rows[frame, scene.figure.owners == 2]
        pelvis = scene.posture.joints[frame, INDEX["pelvis"]]
        assert np.linalg.norm(rows[:, [0, 2]].mean(axis=0) - pelvis[[0, 2]]) < 0.25
