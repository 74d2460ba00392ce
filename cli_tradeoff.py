"""The command that weighs bytes and delay against accuracy."""

from __future__ import annotations

from pathlib import Path

import click
from t4vcodec.cli_options import numbers, option, pairs


@click.command("tradeoff")
@option(
    "--data", default="builtin:val", metavar="SET", help="Labelled clips: a folder, a CSV or builtin:val."
)
@option(
    "--recognizer",
    "recognizers",
    multiple=True,
    default=("builtin:rendered",),
    metavar="NAME",
    help="builtin:NAME or FILE; given again: each with the --where of its place.",
)
@option(
    "--where", multiple=True, callback=pairs, metavar="KEY=VALUE", help="Which clips, such as place=set2."
)
@option(
    "--predictor",
    "predictors",
    multiple=True,
    metavar="NAME",
    help="For predicted and receiver: builtin:NAME or FILE, one for each recognizer.",
)
@option("--every", type=click.IntRange(min=1), default=1, help="Take one clip in so many.")
@option("--codec", default="t4v,x264", help="t4v, x264 (slices in packets, the same bytes) or both.")
@option("--loss", default="0.3,ge:0.3:5", metavar="LIST", help="Channels, as in eval.")
@option("--rtt", callback=numbers, default="50", metavar="LIST", help="Round trips, ms.")
@option("--deadline", callback=numbers, default="200", metavar="LIST", help="ms from capture.")
@option("--capacity", type=click.FloatRange(min=0, min_open=True), help="Of the way there, kbit/s.")
@option(
    "--way",
    "ways",
    default="none,all,random,saliency,first-order",
    metavar="LIST",
    help="none, all, policies (random, saliency, exact, first-order, predicted, receiver), transports "
    "(udp, tcp-reno, tcp-cubic, fec 0.5, fec-adaptive, nack-fec, hairpin).",
)
@option(
    "--share", callback=numbers, default="0.1,0.2,0.4,0.7", metavar="LIST", help="Of the bytes, for policies."
)
@option("--point", type=click.FloatRange(min=0, min_open=True), default=150, help="Rate, as in eval.")
@option("--clips", type=click.IntRange(min=1), default=2, help="Rendered clips of each action.")
@option("--seed", "seeds", callback=numbers, default="0", metavar="LIST", help="Seeds of the channels.")
@option("--out", default="tradeoff", help="Folder for what is written; known results are taken from there.")
def tradeoff(
    data: str,
    recognizers: tuple[str, ...],
    where: list[dict[str, str]],
    predictors: tuple[str, ...],
    every: int,
    codec: str,
    loss: str,
    rtt: list[float],
    deadline: list[float],
    capacity: float | None,
    ways: str,
    share: list[float],
    point: float,
    clips: int,
    seeds: list[float],
    out: str,
) -> None:
    """Delay and bytes against accuracy, for every way to get a video to a recognizer.

    Policies send by NACK what is worth it. Writes outcomes.jsonl, tradeoff.json and figures to --out.
    """
    from t4vcodec.importance import tradeoff_command as command
    from t4vcodec.importance.predictor import load_predictor
    from t4vcodec.recognition.datasets import load_set
    from t4vcodec.recognition.recognizer import load_recognizer

    if len(predictors) not in (0, len(recognizers)):
        raise click.UsageError(
            f"{len(predictors)} --predictor for {len(recognizers)} --recognizer: one for each"
        )
    parts = load_set(data, numbers=clips).parts(where, len(recognizers))
    labelled = []
    for part, name, predictor in zip(parts, recognizers, predictors or [None] * len(recognizers)):
        recognizer = load_recognizer(name)
        guess = None if predictor is None else load_predictor(predictor)
        labelled += [(clip, recognizer, guess) for clip in part.clips[::every]]
    command.tradeoff(
        labelled,
        command.Plan(
            codecs=_texts(codec),
            channels=_texts(loss),
            rtts=tuple(rtt),
            deadlines=tuple(deadline),
            kbps=capacity,
            ways=_texts(ways),
            shares=tuple(share),
            point=point,
            seeds=tuple(map(int, seeds)),
        ),
        Path(out),
        click.echo,
    )


def _texts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
