"""A bad network on one machine: a relay that passes datagrams on, late, and loses some both ways.

    python -m t4vcodec.network.live.relay PORT HOST:PORT --loss 0.1 --delay 50

What comes to PORT goes on to HOST:PORT, answers go back to who sent last. Losses are a channel's
(`network.channels`), drawn for each way; the delay is one way, in milliseconds. At most `HELD` datagrams wait.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from t4vcodec.network.channels import parse_channel
from t4vcodec.network.live.udp import Address, Port, datagram_socket, parse_url

HELD = 4096


class Relay:
    """Two ports and the datagrams between them. delay: seconds one way."""

    def __init__(self, loss: str, delay: float, seed: int = 0) -> None:
        channel = parse_channel(loss)
        self._sessions = [channel.session(way, seed) for way in ("there", "back")]
        self._delay = delay
        self._waiting = 0
        self._client: Address | None = None
        self.passed = self.lost = 0
        self.answered = 0
        """Datagrams that came from the far side."""

    async def open(self, port: int, target: Address) -> None:
        """Listen on `port` of the loopback interface. Raises LiveError."""
        self._start = asyncio.get_running_loop().time()
        self._near = await Port.open(datagram_socket(local=("127.0.0.1", port)), self._there)
        self._far = await Port.open(datagram_socket(remote=target), self._back)

    def close(self) -> None:
        self._near.close()
        self._far.close()

    def _there(self, data: bytes, source: Address) -> None:
        self._client = source
        self._carry(0, data)

    def _back(self, data: bytes, source: Address) -> None:
        self.answered += 1
        if self._client is not None:
            self._carry(1, data)

    def _carry(self, way: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._sessions[way].lost(loop.time() - self._start) or self._waiting >= HELD:
            self.lost += 1
            return
        self.passed += 1
        self._waiting += 1
        loop.call_later(self._delay, self._deliver, way, data)

    def _deliver(self, way: int, data: bytes) -> None:
        self._waiting -= 1
        if way == 0:
            self._far.send(data)
        else:
            self._near.send(data, self._client)


async def _serve(port: int, target: Address, loss: str, delay: float, seed: int) -> None:
    relay = Relay(loss, delay, seed)
    await relay.open(port, target)
    try:
        await asyncio.Event().wait()
    finally:
        relay.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m t4vcodec.network.live.relay", description=__doc__.split("\n")[0]
    )
    parser.add_argument("port", type=int)
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--loss", default="0", help="a channel, such as 0.1 or ge:0.3:5")
    parser.add_argument("--delay", type=float, default=0.0, help="one way, milliseconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(given.port, parse_url(f"udp://{given.target}"), given.loss, given.delay / 1000, given.seed)
        )


if __name__ == "__main__":
    main()
