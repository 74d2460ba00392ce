"""Where a receiver's pictures go: a file, a folder, standard output, a window; none holds up the session."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from fractions import Fraction

from t4vcodec.media import Writer, open_writer, to_rgb
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.network.live.udp import LiveError

WAITING = 64
"""Pictures that wait to be written; those that find no room are left out."""
WINDOW = "window"
STANDS = 2.0
"""Seconds that a picture is repeated for at most where a file has a constant rate."""


class FileOutput:
    """Writes in a thread of its own. A .y4m file has a constant rate: a picture is repeated until the next
    one's time.

    target: as of `media.open_writer`. Raises MediaError at once if nothing can be written there.
    """

    def __init__(self, target: str) -> None:
        self.closed = False
        """Whether the user wants no more."""
        self.left_out = 0
        """Pictures that were not written because writing was too slow."""
        self._target = target
        self._writer: Writer | None = None
        self._waiting: queue.Queue[Frame | None] = queue.Queue(WAITING)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        if target != "-":
            open_writer(target, 16, 16, Fraction(25), Colour()).discard()

    def show(self, frame: Frame, fps: Fraction) -> None:
        """Take a picture; fps: of the first one's session. Raises what went wrong with those before."""
        if self._error is not None:
            raise self._error
        if self._writer is None:
            self._writer = open_writer(self._target, frame.width, frame.height, fps, frame.colour)
            self._thread = threading.Thread(target=self._write, args=(fps,), name="write", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(frame)
        except queue.Full:
            self.left_out += 1

    def poll(self) -> None:
        """Nothing to do between pictures."""

    def close(self) -> None:
        """Write what waits and give the file its name. Raises MediaError."""
        if self._writer is None:
            return
        self._end()
        self._writer.close()

    def discard(self) -> None:
        """Leave nothing."""
        if self._writer is not None:
            with suppress(BaseException):
                self._end()
            self._writer.discard()

    def _end(self) -> None:
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _write(self, fps: Fraction) -> None:
        steady = self._target.lower().endswith(".y4m")
        last: Frame | None = None
        written = 0
        while (frame := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # take what comes until the end, so that nobody waits for room
            try:
                if steady and last is not None:
                    gap = round(frame.time * fps) - written
                    if gap < 0:
                        continue
                    for _ in range(gap if gap < STANDS * fps else 0):
                        self._writer.write(last)
                written = round(frame.time * fps) + 1
                self._writer.write(frame)
                last = frame
            except BaseException as error:
                self._error = error


class WindowOutput:
    """A window of the standard library's toolkit. Raises LiveError where there is no screen."""

    def __init__(self) -> None:
        try:
            import tkinter
        except ImportError:
            raise LiveError(
                "this Python has no tkinter for a window: write - and pipe into a player"
            ) from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError:
            raise LiveError("there is no screen for a window: write - and pipe into a player") from None
        self._toolkit = tkinter
        self._root.title("t4vcodec")
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self.closed = False
        self.left_out = 0

    def _leave(self) -> None:
        self.closed = True

    def show(self, frame: Frame, fps: Fraction) -> None:
        """Put a picture on the screen."""
        head = f"P6 {frame.width} {frame.height} 255 ".encode()
        image = self._toolkit.PhotoImage(data=head + to_rgb(frame).tobytes(), format="PPM")
        self._label.configure(image=image)
        self._label.image = image  # Tk itself keeps no reference
        self.poll()

    def poll(self) -> None:
        """Let the window live."""
        self._root.update()

    def close(self) -> None:
        self._root.destroy()

    discard = close


def open_output(target: str) -> FileOutput | WindowOutput:
    """The output that a user named. Raises MediaError or LiveError."""
    return WindowOutput() if target == WINDOW else FileOutput(target)
