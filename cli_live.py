"""The commands that send and receive live."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from t4vcodec.cli_options import given, option


@click.command()
@click.argument("source", metavar="IN")
@click.argument("url", metavar="udp://HOST:PORT")
@option("--kbps", type=float, required=True, help="Rate, 40 bytes of IP/UDP/RTP headers a packet included.")
@option("--fps", type=click.FloatRange(min=0, min_open=True, max=1000), help="Pictures a second, at most.")
@option("--frames", type=click.IntRange(min=1), help="Pictures of IN, at most.")
@option("--loop", is_flag=True, help="Start a file again at its end.")
@option("--resilience", type=click.FloatRange(0, 0.5), help="As for encode.")
@option("--model", metavar="NAME|FILE", help="As for encode; the receiver needs it too.")
def send(source: str, url: str, kbps: float, loop: bool, **settings: Any) -> None:
    """Send a video live to `t4vcodec receive`.

    IN as for encode: a file (in real time), "-" (y4m on standard input), a camera. Pictures that come too late
    for the encoder are left out. Ctrl-C ends the session in order; either side may be started first, or again.
    """
    from t4vcodec.live.sending import SendOptions
    from t4vcodec.live.sending import send as send_live

    sent = send_live(source, url, SendOptions(kbps, loop=loop, **given(**settings)))
    click.echo(sent.summary)
    if sent.source_hangs:
        # A thread waits within the source, and leaving in the usual way would wait for it.
        sys.stdout.flush()
        os._exit(0)


@click.command()
@click.argument("url", metavar="udp://:PORT")
@click.argument("target", metavar="OUT")
@option("--loss", metavar="CHANNEL", help="Lose packets besides, as for decode: 0.1, ge:0.3:5, ...")
@option("--seed", type=click.IntRange(min=0), default=0, help="Which run of the channel.")
@option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many.")
@option("--model", metavar="FILE", help="The sender's model, if it does not come with the package.")
@option("--log", metavar="FILE", help="CSV with a line a picture: when it was taken, due and shown.")
def receive(url: str, target: str, **settings: Any) -> None:
    """Receive a video live from `t4vcodec send`.

    OUT as for decode: an .mp4, .mkv or .y4m file, a new folder, "-" (y4m on standard output), or the word
    "window". Ends when the sender says so, or with Ctrl-C; a file is whole then.
    """
    from t4vcodec.live.receiving import ReceiveOptions
    from t4vcodec.live.receiving import receive as receive_live

    click.echo(receive_live(url, target, ReceiveOptions(**given(**settings))), err=target == "-")
