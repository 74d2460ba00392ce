"""The pose head: joints come back from their maps, correct ones are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_clips import moving_clip
from t4vcodec.media.rendered import JOINTS
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.pose import (
    PoseHead,
    PoseNetwork,
    correct_keypoints,
    load_pose,
    peaks,
    save_pose,
    target_maps,
)


@given(st.floats(1, 22), st.floats(1, 18))
def test_a_joint_comes_back_from_its_map(x, y):
    maps = target_maps(torch.tensor([[[x, y]]]), torch.ones(1, 1, dtype=torch.bool), 20, 24)
    at, height = peaks(maps)
    assert at[0, 0] == pytest.approx([x, y], abs=0.6)
    assert height[0, 0] > 0.7


def test_a_hidden_joint_has_an_empty_map():
    maps = target_maps(torch.full((1, 1, 2), 5.0), torch.zeros(1, 1, dtype=torch.bool), 20, 24)
    assert float(maps.abs().max()) == 0


def test_joints_are_in_pixels_of_the_clip():
    torch.manual_seed(0)
    head = PoseHead("new", PoseNetwork())
    pose = head.pose(moving_clip(3, 60, 100))
    assert pose.joints.shape == (3, len(JOINTS), 2)
    assert pose.confidence.shape == (3, len(JOINTS))
    assert (pose.joints >= -4).all()
    assert (pose.joints <= (104, 64)).all()


def test_correct_is_within_a_fifth_of_the_trunk():
    truth = np.zeros((1, len(JOINTS), 2))
    truth[0, JOINTS.index("neck")] = (0, 0)
    truth[0, JOINTS.index("pelvis")] = (0, 50)
    found = truth.copy()
    found[0, JOINTS.index("head")] += (9, 0)
    found[0, JOINTS.index("left_toe")] += (0, 11)
    visible = np.ones((1, len(JOINTS)), bool)
    visible[0, JOINTS.index("right_toe")] = False
    right = correct_keypoints(found, truth, visible)[0]
    assert right[JOINTS.index("head")] == 1
    assert right[JOINTS.index("left_toe")] == 0
    assert np.isnan(right[JOINTS.index("right_toe")])


def test_files_keep_the_head(tmp_path):
    torch.manual_seed(0)
    head = PoseHead("new", PoseNetwork())
    save_pose(head.network, tmp_path / "p.safetensors")
    again = load_pose(tmp_path / "p.safetensors")
    clip = moving_clip(2)
    assert np.allclose(again.pose(clip).confidence, head.pose(clip).confidence, atol=0.01)
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(RecognitionError, match="cannot be read as a pose head"):
        load_pose(tmp_path / "bad.safetensors")
