"""The relay passes datagrams on both ways, late, and loses its share."""

import asyncio

import pytest
from t4vcodec.network.live.relay import Relay
from t4vcodec.network.live.udp import LiveError, Port, datagram_socket, free_port


async def through(loss, delay, count):
    """What a server and its client hear of `count` numbered datagrams each, and the relay."""
    loop = asyncio.get_running_loop()
    heard, answers = [], []

    def answer(data, source):
        heard.append((int(data), loop.time()))
        server.send(data, source)

    server_socket = datagram_socket(local=("127.0.0.1", 0))
    target = server_socket.getsockname()
    server = await Port.open(server_socket, answer)
    relay, port = Relay(loss, delay, seed=1), free_port()
    await relay.open(port, target)
    client = await Port.open(
        datagram_socket(remote=("127.0.0.1", port)), lambda data, _: answers.append(int(data))
    )
    sent = {}
    for i in range(count):
        sent[i] = loop.time()
        client.send(str(i).encode())
        await asyncio.sleep(0)
    for _ in range(200):  # until all that will come has come
        await asyncio.sleep(0.02)
        if relay.passed + relay.lost == count + len(heard) and len(answers) + len(heard) == relay.passed:
            break
    for port in (client, relay, server):
        port.close()
    return sent, heard, answers, relay


def test_all_goes_through_late_and_in_order():
    sent, heard, answers, relay = asyncio.run(through("0", 0.05, 50))
    assert [i for i, _ in heard] == answers == list(range(50))
    assert all(came - sent[i] >= 0.049 for i, came in heard)
    assert (relay.passed, relay.lost) == (100, 0)


def test_loses_a_share_of_each_way():
    _, heard, answers, relay = asyncio.run(through("0.3", 0.0, 400))
    assert 230 < len(heard) < 330
    assert 0.5 * len(heard) < len(answers) < 0.9 * len(heard)
    assert relay.lost == 400 - len(heard) + len(heard) - len(answers)


def test_a_port_that_somebody_has():
    async def twice():
        with datagram_socket(local=("127.0.0.1", 0)) as taken:
            await Relay("0", 0).open(taken.getsockname()[1], ("127.0.0.1", 9))

    with pytest.raises(LiveError, match="in use"):
        asyncio.run(twice())
