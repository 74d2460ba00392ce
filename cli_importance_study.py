"""The command that holds measures of importance against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from t4vcodec.cli_options import given, option, pairs


@click.command("importance")
@option(
    "--data", default="builtin:val", metavar="SET", help="Labelled clips: a folder, a CSV or builtin:val."
)
@option(
    "--recognizer",
    "recognizers",
    multiple=True,
    default=("builtin:rendered",),
    metavar="NAME",
    help="builtin:NAME, FILE or torchvision:NAME=FILE; given again: each with the --where of its place.",
)
@option(
    "--where", multiple=True, callback=pairs, metavar="KEY=VALUE", help="Which clips, such as place=set2."
)
@option(
    "--labels", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Classes, a line each."
)
@option(
    "--point",
    type=click.FloatRange(min=0, min_open=True),
    help="Rate at 854x480 and 25 frames per second, scaled to each clip.  [default: 150]",
)
@option(
    "--loss",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of packets lost.  [default: 0.3]",
)
@option("--sensitive", type=click.IntRange(min=0), help="Clips whose answer turns, at most.  [default: 18]")
@option("--insensitive", type=click.IntRange(min=0), help="Clips whose answer does not.  [default: 9]")
@option(
    "--whole",
    type=(click.IntRange(min=0), click.IntRange(min=0)),
    metavar="N M",
    help="How many of either are looked at whole, which is dear.  [default: 5 2]",
)
@option("--overlays", type=click.IntRange(min=0), default=1, help="Clips that heat maps are made of.")
@option("--clips", type=click.IntRange(min=1), default=2, help="Rendered clips of each action.")
@option("--out", default="study", help="Folder for what is written; known results are taken from there.")
def study_importance(
    data: str,
    recognizers: tuple[str, ...],
    where: list[dict[str, str]],
    labels: Path | None,
    overlays: int,
    clips: int,
    out: str,
    **settings: Any,
) -> None:
    """Whether saliency says what a lost packet costs: measured by decoding without it.

    Slow: every packet that is judged is a decoded video. An interrupted study goes on where it stopped.
    """
    from t4vcodec.importance import validation_command
    from t4vcodec.importance.validation import Settings
    from t4vcodec.recognition.datasets import load_set
    from t4vcodec.recognition.recognizer import load_recognizer

    parts = load_set(data, numbers=clips).parts(where, len(recognizers))
    validation_command.study_importance(
        [(part, load_recognizer(name, labels)) for part, name in zip(parts, recognizers)],
        Settings(**given(**settings)),
        Path(out),
        overlays,
        click.echo,
    )
