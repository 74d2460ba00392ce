"""Rendered clips: video of acting figures, made by code from a seed, with the truth about every frame.

    >>> from t4vcodec.media.rendered import render
    >>> clip = render("builtin:val/walk-00")
    >>> frame, truth = clip.frame(0), clip.truth[0]

Where things are: names.py (names, seeds, splits), pools.py (what splits may use); actions.py, gaits.py,
keyframes.py, skeleton.py (motion); figure.py, fabrics.py, things.py, solids.py (bodies); sites.py, places.py,
surfaces.py, props.py, textures.py (places); camera.py; raster.py, planes.py (compiled kernels); direction.py
(draws a clip), clip.py (renders and knows the truth), reader.py (for open_video).
"""

from __future__ import annotations

from t4vcodec.media.rendered.clip import FrameTruth, RenderedClip, render, render_clip
from t4vcodec.media.rendered.names import ACTIONS, REVERSED, SPLITS, RenderedError, clip_names, parse_name
from t4vcodec.media.rendered.reader import open_rendered
from t4vcodec.media.rendered.skeleton import JOINTS

__all__ = [
    "ACTIONS",
    "JOINTS",
    "REVERSED",
    "SPLITS",
    "FrameTruth",
    "RenderedClip",
    "RenderedError",
    "clip_names",
    "open_rendered",
    "parse_name",
    "render",
    "render_clip",
]
