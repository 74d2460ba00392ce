"""Real sockets and real time on one machine, through the commands and the relay. Nothing here depends on speed."""

import asyncio
import errno
import io
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction

import pytest
from click.testing import CliRunner
from t4vcodec.cli import main
from t4vcodec.live import receiving, sending
from t4vcodec.live.receiving import ReceiveOptions, receive
from t4vcodec.live.sending import SendOptions, send
from t4vcodec.media import open_video, open_writer
from t4vcodec.network.live.relay import Relay
from t4vcodec.network.live.udp import LiveError, Port, datagram_socket, free_port
from virtual_session import picture_at

FRAMES = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """1.2 seconds of 32x32."""
    path = tmp_path_factory.mktemp("live") / "clip.y4m"
    first = picture_at(0)
    with open_writer(path, first.width, first.height, Fraction(10), first.colour) as writer:
        for number in range(FRAMES):
            writer.write(picture_at(number))
    return path


def run(*arguments, **settings):
    return CliRunner().invoke(main, [str(a) for a in arguments], prog_name="t4vcodec", **settings)


def refused(*arguments, **settings) -> str:
    """The one line that a command which must fail says."""
    result = run(*arguments, **settings)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("t4vcodec: ")
    return line


@contextmanager
def relayed(target: int, loss: str, delay: float):
    """The port of a relay that runs in a thread."""
    port, loop, ready, end = free_port(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve():
        relay = Relay(loss, delay, seed=2)
        await relay.open(port, ("127.0.0.1", target))
        ready.set()
        await end.wait()
        relay.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield port
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def listening(port: int) -> bool:
    try:
        datagram_socket(local=("127.0.0.1", port)).close()
    except LiveError:
        return True
    return False


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_clip_goes_through_a_bad_network(clip, tmp_path):
    port = free_port()
    options = ReceiveOptions(seconds=120, log=str(tmp_path / "log.csv"))
    with relayed(port, "0.1", 0.02) as way, ThreadPoolExecutor(1) as pool:
        received = pool.submit(
            receive, f"udp://127.0.0.1:{port}", str(tmp_path / "seen.mp4"), options, io.StringIO()
        )
        wait_for(lambda: listening(port))
        sent = send(
            str(clip), f"udp://127.0.0.1:{way}", SendOptions(100, loop=True, frames=40), io.StringIO()
        )
        summary = received.result(120)
    assert not sent.source_hangs
    assert "kbit/s" in sent.summary
    assert "pictures" in summary
    pictures = list(open_video(tmp_path / "seen.mp4"))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "time,stamp,due,shown,delay"
    assert len(lines) - 1 == len(pictures) >= 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv", "seen.mp4"]


def test_y4m_comes_in_by_pipe_and_goes_out_by_pipe(clip, tmp_path):
    port = free_port()
    with ThreadPoolExecutor(1) as pool:

        def sent():
            wait_for(lambda: listening(port))
            return send(
                str(clip), f"udp://127.0.0.1:{port}", SendOptions(100, loop=True, frames=40), io.StringIO()
            )

        pool.submit(sent)
        result = run("receive", f"udp://127.0.0.1:{port}", "-", "--seconds", 60, "--loss", "0.05")
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes.startswith(b"YUV4MPEG2 W32 H32 F10:1 ")
    assert result.stdout_bytes.count(b"FRAME\n") >= 1
    assert "pictures" in result.stderr
    piped = run("send", "-", f"udp://127.0.0.1:{port}", "--kbps", 50, "--frames", 3, input=clip.read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert " frames in " in piped.output


def test_ctrl_c_leaves_a_whole_file(clip, tmp_path, monkeypatch):
    port = free_port()
    stop = threading.Event()

    @contextmanager
    def until_stopped(event):
        loop = asyncio.get_running_loop()
        threading.Thread(target=lambda: (stop.wait(100), loop.call_soon_threadsafe(event.set))).start()
        yield

    def interrupt():
        try:
            wait_for(lambda: any(p.stat().st_size > 5000 for p in tmp_path.iterdir()))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def sent():
        wait_for(lambda: listening(port))
        return send(str(clip), f"udp://127.0.0.1:{port}", SendOptions(50, loop=True), io.StringIO())

    monkeypatch.setattr(sending, "stop_on_signals", until_stopped)
    with ThreadPoolExecutor(2) as pool:
        sending_it, interrupting = pool.submit(sent), pool.submit(interrupt)
        result = run("receive", f"udp://127.0.0.1:{port}", tmp_path / "seen.y4m", "--seconds", 90)
        stop.set()
        assert "kbit/s" in sending_it.result(60).summary
        interrupting.result(60)
    assert result.exit_code == 0, result.stderr
    assert "pictures" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["seen.y4m"]
    assert len(list(open_video(tmp_path / "seen.y4m"))) >= 1


class TestRefused:
    def test_bad_addresses(self, clip, tmp_path):
        for url in ("127.0.0.1:5004", "udp://127.0.0.1", "udp://:5004", "http://127.0.0.1:5004"):
            assert "write udp://127.0.0.1:5004" in refused("send", clip, url, "--kbps", 100)
        for url in ("5004", "udp://:many", "udp://:0"):
            assert "write udp://:5004" in refused("receive", url, tmp_path / "seen.mp4")
        assert list(tmp_path.iterdir()) == []

    def test_a_port_in_use(self, tmp_path):
        with datagram_socket(local=("127.0.0.1", 0)) as taken:
            url = f"udp://127.0.0.1:{taken.getsockname()[1]}"
            assert "in use" in refused("receive", url, tmp_path / "seen.mp4")
        assert list(tmp_path.iterdir()) == []

    def test_a_host_that_is_not_there(self, clip):
        assert "no such host" in refused("send", clip, "udp://no-such-host.invalid:5004", "--kbps", 100)

    def test_a_host_that_can_not_be_reached(self, clip, monkeypatch):
        def send_nowhere(self, data, address=None):
            self.error_received(OSError(errno.EHOSTUNREACH, "No route to host"))

        monkeypatch.setattr(Port, "send", send_nowhere)
        line = refused("send", clip, "udp://127.0.0.1:5004", "--kbps", 100)
        assert (
            line == "t4vcodec: udp://127.0.0.1:5004 can not be reached: No route to host; check the address"
        )

    def test_sources_rates_and_models(self, clip, tmp_path):
        url = f"udp://127.0.0.1:{free_port()}"
        assert "missing" in refused("send", tmp_path / "missing.mp4", url, "--kbps", 100)
        assert "out of range" in refused("send", clip, url, "--kbps", 0)
        assert "--kbps" in refused("send", clip, url)
        assert "no model" in refused("send", clip, url, "--kbps", 100, "--model", "mine")
        assert "leave --loop out" in refused(
            "send", "-", url, "--kbps", 100, "--loop", input=clip.read_bytes()
        )

    def test_places_and_channels(self, tmp_path):
        url = f"udp://127.0.0.1:{free_port()}"
        assert ".xyz" in refused("receive", url, tmp_path / "seen.xyz")
        refused("receive", url, tmp_path / "seen.mp4", "--loss", "2")
        refused("receive", url, tmp_path / "seen.mp4", "--log", tmp_path / "none" / "log.csv")
        assert list(tmp_path.iterdir()) == []

    def test_nobody_sends(self, tmp_path):
        url = f"udp://127.0.0.1:{free_port()}"
        line = refused("receive", url, tmp_path / "seen.mp4", "--seconds", 0.2, "--log", tmp_path / "log.csv")
        assert "start the sender, or check its address" in line
        assert list(tmp_path.iterdir()) == []


def test_nobody_receives_is_no_failure(clip):
    result = run("send", clip, f"udp://127.0.0.1:{free_port()}", "--kbps", 50, "--frames", 3)
    assert result.exit_code == 0, result.stderr
    assert " frames in " in result.output


def test_a_source_that_hangs_does_not_hold_up_the_end(clip, monkeypatch):
    hang = threading.Event()

    def hanging(video, again):
        yield next(iter(video))
        hang.wait(60)

    @contextmanager
    def soon(event):
        asyncio.get_running_loop().call_later(0.3, event.set)
        yield

    monkeypatch.setattr(sending, "pictures", hanging)
    monkeypatch.setattr(sending, "stop_on_signals", soon)
    sent = send(str(clip), f"udp://127.0.0.1:{free_port()}", SendOptions(50), io.StringIO())
    hang.set()
    assert sent.source_hangs
    assert "1 frames" in sent.summary


def test_what_goes_wrong_while_decoding_is_not_hidden(clip, monkeypatch, tmp_path):
    port = free_port()

    def broken(work):
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(receiving.Work, "decode", broken)
    with ThreadPoolExecutor(1) as pool:

        def sent():
            wait_for(lambda: listening(port))
            return send(
                str(clip), f"udp://127.0.0.1:{port}", SendOptions(50, loop=True, frames=15), io.StringIO()
            )

        pool.submit(sent)
        with pytest.raises(ValueError, match="a mistake of ours"):
            receive(
                f"udp://127.0.0.1:{port}", str(tmp_path / "a.mp4"), ReceiveOptions(seconds=60), io.StringIO()
            )
    assert list(tmp_path.iterdir()) == []
