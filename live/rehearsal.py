"""Sender and receiver as two processes on one machine, a bad network between them: delay and memory are measured.

    python -m t4vcodec.live.rehearsal IN OUT --kbps 500 --fps 8 --seconds 300 --loss 0.1 --delay 50

Both processes read the same clock, so the time from capture to showing is exact, whatever the receiver believes.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from t4vcodec.errors import T4VError
from t4vcodec.network.live.relay import Relay
from t4vcodec.network.live.rtp import CLOCK
from t4vcodec.network.live.udp import free_port

WRAP = 2**32 / CLOCK  # seconds after which stamps begin again
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Delays:
    """pictures: shown. delays: seconds from capture to showing, and errors: the receiver's estimate minus that."""

    pictures: int
    delays: np.ndarray
    errors: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Delays:
        """From a receiver's --log."""
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        delays = np.array([(float(row["shown"]) - float(row["stamp"])) % WRAP for row in rows])
        guesses = np.array([float(row["delay"] or "nan") for row in rows])
        return cls(len(rows), delays, (guesses - delays)[~np.isnan(guesses)])


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


async def rehearse(options: argparse.Namespace) -> None:
    """Run both, and print what was measured."""
    relay = Relay(options.loss, options.delay / 1000, options.seed)
    near, far = free_port(), free_port()
    await relay.open(near, ("127.0.0.1", far))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "pictures.csv"
        command = (sys.executable, "-m", "t4vcodec")
        receiver = await asyncio.create_subprocess_exec(
            *command, "receive", f"udp://127.0.0.1:{far}", options.target, "--log", str(log)
        )
        rates = ["--kbps", str(options.kbps), "--fps", str(options.fps)]
        sender = await asyncio.create_subprocess_exec(
            *command, "send", options.source, f"udp://127.0.0.1:{near}", "--loop", *rates
        )
        try:
            # Programs need their time to load; either may be there first.
            while relay.answered == 0 and sender.returncode is None and receiver.returncode is None:
                await asyncio.sleep(0.1)
            memory = await _watch((sender.pid, receiver.pid), options.seconds)
        finally:
            await _end(sender)
            await asyncio.sleep(2 * options.delay / 1000 + 1)  # the sender has said so
            await _end(receiver)
            relay.close()
        if not log.exists():
            raise T4VError("nothing was received: see above")
        _print(Delays.read(log), memory, relay)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    await process.wait()


async def _watch(pids: tuple[int, int], seconds: float) -> np.ndarray:
    """(seconds, 2) bytes of memory, once a second."""
    rows = []
    for _ in range(round(seconds)):
        await asyncio.sleep(1)
        rows.append([resident(pid) for pid in pids])
    return np.array(rows)


def _print(found: Delays, memory: np.ndarray, relay: Relay) -> None:
    median, p95, most = 1000 * np.percentile(found.delays, (50, 95, 100))
    print(f"pictures {found.pictures}; datagrams passed {relay.passed}, lost {relay.lost}")
    print(f"delay from capture to showing: median {median:.0f}, p95 {p95:.0f}, most {most:.0f} ms")
    if found.errors.size:
        low, middle, high = 1000 * np.percentile(found.errors, (5, 50, 95))
        print(f"the receiver's estimate minus that: median {middle:.0f}, p5 {low:.0f}, p95 {high:.0f} ms")
    for name, held in zip(("sender", "receiver"), memory.T / MEBIBYTE):
        minutes = ", ".join(f"{held[i]:.0f}" for i in range(59, held.size, 60))
        print(f"memory of the {name}: {minutes or '-'} MiB after each minute, {held[-1]:.0f} at the end")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m t4vcodec.live.rehearsal", description=__doc__.split("\n")[0]
    )
    parser.add_argument("source", metavar="IN", help="a file, played again and again")
    parser.add_argument("target", metavar="OUT", help="as for receive")
    parser.add_argument("--kbps", type=float, default=500)
    parser.add_argument("--fps", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--loss", default="0.1", help="a channel, for each way")
    parser.add_argument("--delay", type=float, default=50.0, help="one way, milliseconds")
    parser.add_argument("--seed", type=int, default=0)
    try:
        asyncio.run(rehearse(parser.parse_args()))
    except T4VError as error:
        sys.exit(f"t4vcodec: {error}")


if __name__ == "__main__":
    main()
