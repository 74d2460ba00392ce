"""Action recognition: what a network on the other side still sees.

    recognizer = load_recognizer("builtin:rendered")
    recognizer.scores(frames, fps)               # logarithms of probabilities, one a class

Where things are: recognizer.py (the protocol, names), windows.py (clips of any length, rate and size), network.py
and builtin.py (ours), torchvision_backend.py, onnx_backend.py (others'), datasets.py (labelled clips), scoring.py
(answers, intervals), evaluation.py (a recognizer on a set), frame_loss.py (which frames are lost, what stands in
their place), study.py and study_figures.py (`t4vcodec study frames`).
"""

from __future__ import annotations

from t4vcodec.recognition.datasets import ActionSet, Labelled, load_set, read_frames
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import Recognizer, load_recognizer
from t4vcodec.recognition.scoring import task_scores

__all__ = [
    "ActionSet",
    "Labelled",
    "RecognitionError",
    "Recognizer",
    "load_recognizer",
    "load_set",
    "read_frames",
    "task_scores",
]
