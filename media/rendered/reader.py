"""Rendered clips as videos: what `open_video` hands out for `builtin:` sources."""

from __future__ import annotations

from t4vcodec.media.rendered.clip import render
from t4vcodec.media.source import Video


def open_rendered(source: str, max_frames: int | None = None) -> Video:
    """Open `builtin:<split>/<action>-<number>`, at most `max_frames` frames of it.

    A cut clip has the very frames of the whole one. Its truth: `render(source).truth`.

    Raises:
        RenderedError: a bad name. MediaError: `max_frames` is less than 1.
    """
    clip = render(source)
    video = Video(clip.info(), lambda: iter(clip))
    return video if max_frames is None else video.first(max_frames)
