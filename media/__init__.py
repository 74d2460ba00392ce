"""Frames in and out of the program: files, folders, pipes, cameras; colour; rendered clips with known
actions.

Reading. `open_video(source)` gives a `Video`: its `info` (size, average rate, number of pictures, SHA-256,
colour) and, when iterated, `Frame` after `Frame`. `list_clips(folder)` gives the sources in a folder.

    source                  what
    clip.mp4, clip.mkv ...  any file that PyAV (FFmpeg) opens; the best of several video streams
    clip.y4m, a named pipe  y4m, 8 to 16 bits
    -                       y4m on standard input
    frames/                 a folder of pictures (png, jpg, bmp, webp), sorted by number, 25 fps
    /dev/video0             a camera
    builtin:test/NAME       a clip that is rendered (see `t4vcodec.media.rendered`)

Writing. `open_writer(path, width, height, fps, colour)` writes .mp4, .mkv, .y4m, "-" (y4m on standard output)
or a folder of PNG; the name appears when the writer is closed, whole or not at all.

A `Frame` is YCbCr 4:2:0 of 8 bits with its time and `Colour` (matrix, range). Nothing is scaled, stretched or
cropped; chroma of odd sizes is rounded up. `to_rgb`, `from_rgb` and `recolour` convert.

Everything that can be wrong with a source or a target is a `MediaError` of one line. A damaged file gives the
pictures that decode and is refused only if there are none.

    >>> import numpy as np
    >>> from t4vcodec.media import Colour, from_rgb, open_video, open_writer
    >>> red = np.zeros((5, 7, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> frame = from_rgb(red, time=0.0, colour=Colour("bt709"))
    >>> frame
    Frame(y (5, 7), u (3, 4), v (3, 4), time 0.000 s, bt709)
    >>> with open_writer("red.y4m", 7, 5, 25, frame.colour) as writer:
    ...     writer.write(frame)
    >>> open_video("red.y4m")
    Video('red', 7x5, 25.000 fps, 1 frames)
    >>> [int(picture.y[0, 0]) for picture in open_video("red.y4m")]
    [63]

Order of imports here: errors, frames, source, then y4m, containers, pictures, writers, then video. Only numpy
is loaded at import; PyAV at the first video.
"""

from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import MAX_SIDE, Colour, Frame, from_rgb, recolour, to_rgb
from t4vcodec.media.source import Video, VideoInfo
from t4vcodec.media.video import list_clips, open_video
from t4vcodec.media.writers import Writer, open_writer

__all__ = [
    "MAX_SIDE",
    "Colour",
    "Frame",
    "MediaError",
    "Video",
    "VideoInfo",
    "Writer",
    "from_rgb",
    "list_clips",
    "open_video",
    "open_writer",
    "recolour",
    "to_rgb",
]
