"""From what a user names to pictures: the dispatch over files, folders, pipes, cameras and rendered clips."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from t4vcodec.media.errors import MediaError
from t4vcodec.media.source import Video, VideoInfo, reason

__all__ = ["BUILTIN", "VIDEO_ENDINGS", "Video", "VideoInfo", "list_clips", "open_video"]

BUILTIN = "builtin:"
VIDEO_ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".y4m", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(
        ".flv",
        ".wmv",
        ".ogv",
        ".3gp",
        ".mxf",
        ".nut",
        ".gif",
        ".h264",
        ".264",
        ".h265",
        ".265",
        ".hevc",
        ".ivf",
    ),
)
"""Endings by which `list_clips` finds videos in folders; `open_video` takes any."""
_CAMERA = re.compile(r"/dev/video[0-9]+")


def open_video(source: str | Path, max_frames: int | None = None) -> Video:
    """Open a clip and look at its first picture.

    `source` is a video file, a folder of pictures, a y4m file or named pipe, "-" (y4m on standard input), a
    camera (/dev/video0) or a rendered clip (builtin:test/NAME); of builtin:test alone the first clip is
    meant. At most `max_frames` pictures are given. Raises `MediaError` (a rendered clip: its own `T4VError`).
    """
    video = _open(str(source))
    return video if max_frames is None else video.first(max_frames)


def _open(source: str) -> Video:
    if source.startswith(BUILTIN):
        from t4vcodec.media.rendered import open_rendered

        return open_rendered(list_clips(source)[0])
    if source == "-":
        from t4vcodec.media.y4m import open_standard_input

        return open_standard_input()
    if _CAMERA.fullmatch(source):
        from t4vcodec.media.containers import open_camera

        return open_camera(source)
    if not source:
        raise MediaError("no source is named: give a file, a folder, a camera or builtin:test")
    path = Path(source)
    facts = _stat(path)
    if stat.S_ISDIR(facts.st_mode):
        from t4vcodec.media.pictures import open_pictures

        return open_pictures(path)
    if stat.S_ISFIFO(facts.st_mode):
        from t4vcodec.media.y4m import open_y4m_pipe

        try:
            return open_y4m_pipe(open(path, "rb"), source)
        except OSError as error:
            raise MediaError(f"{source}: cannot be read: {reason(error)}") from None
    if not stat.S_ISREG(facts.st_mode):
        raise MediaError(f"{source}: is neither a file, a folder, a pipe nor a camera: give one of these")
    if facts.st_size == 0:
        raise MediaError(f"{source}: is an empty file: give a video file")
    if path.suffix.lower() == ".y4m":
        from t4vcodec.media.y4m import open_y4m_file

        return open_y4m_file(path)
    from t4vcodec.media.containers import open_file

    return open_file(path)


def list_clips(data: str | Path) -> list[str]:
    """The sources that `open_video` can open in `data`, in a fixed order.

    A file, "-", a camera or one rendered clip gives itself; builtin:train, builtin:val and builtin:test all
    their clips; a folder its video files, or, if it has none, itself if it holds pictures, or else what its
    folders hold by the same rule. Links to folders are not followed. Raises `MediaError` where nothing is
    found.
    """
    data = str(data)
    if data.startswith(BUILTIN):
        from t4vcodec.media.rendered.names import clip_names

        name = data.removeprefix(BUILTIN)
        return [data] if "/" in name else clip_names(name)
    if data == "-" or _CAMERA.fullmatch(data):
        return [data]
    root = Path(data)
    if not stat.S_ISDIR(_stat(root).st_mode):
        return [data]
    try:
        clips = _clips_below(root)
    except OSError as error:
        raise MediaError(f"{data}: cannot be read: {reason(error)}") from None
    if not clips:
        raise MediaError(f"{data}: no videos and no pictures in this folder: give a folder that has some")
    return clips


def _clips_below(root: Path) -> list[str]:
    from t4vcodec.media.pictures import natural_key, pictures_in

    clips: list[str] = []
    for folder, below, files in os.walk(root, onerror=_raise):
        videos = [name for name in files if name.lower().endswith(VIDEO_ENDINGS) and not name.startswith(".")]
        if videos:
            clips += [os.path.join(folder, name) for name in sorted(videos, key=natural_key)]
        elif pictures_in(Path(folder)):
            clips.append(folder)
        else:
            below[:] = sorted((name for name in below if not name.startswith(".")), key=natural_key)
            continue
        below.clear()
    return clips


def _raise(error: OSError) -> None:
    raise error


def _stat(path: Path) -> os.stat_result:
    """The file's facts. Raises `MediaError` in words that say what to look at."""
    try:
        return path.stat()
    except FileNotFoundError:
        raise MediaError(f"{path}: there is no such file or folder: check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise MediaError(f"{str(path)!r}: cannot be read: {reason(error)}") from None
