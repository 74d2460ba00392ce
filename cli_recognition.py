"""The commands that train and study recognizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from t4vcodec.cli_importance_study import study_importance
from t4vcodec.cli_options import given, option, pairs


@click.command("train-recognizer")
@option(
    "--data",
    multiple=True,
    metavar="SET",
    help="Labelled clips: a folder or a CSV; given again: learned beside it.  [default: builtin:train]",
)
@option(
    "--where",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="Which clips of the first set: split, place, group or label.",
)
@option("--out", default="runs/recognizer", help="Folder of checkpoints and weights.")
@option("--start", metavar="NAME|FILE", help="A recognizer to begin from.")
@option("--damage", is_flag=True, help="Imitate loss in the pictures.")
@option("--steps", type=click.IntRange(min=1), help="Steps of the whole run.  [default: 1500]")
@option("--batch", type=click.IntRange(min=2), help="Windows a step.  [default: 16]")
@option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Highest learning rate.  [default: 0.002]"
)
@option("--clips", type=click.IntRange(min=1), help="Rendered clips of each action.  [default: 100]")
@option(
    "--short-side",
    type=click.IntRange(min=16),
    help="Of the pictures that the network sees, a multiple of 16.  [default: 80]",
)
@option("--rendered", help="Folder that keeps rendered clips.  [default: in --out]")
@option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so many.")
@option("--resume", is_flag=True, help="Go on after the last checkpoint in --out.")
@option("--learn-all", is_flag=True, help="Hold nothing out to look at on the way.")
@option("--seed", type=click.IntRange(min=0), help="Of everything drawn.  [default: 0]")
def train_recognizer(
    data: tuple[str, ...],
    where: list[dict[str, str]],
    out: str,
    start: str | None,
    damage: bool,
    rendered: str | None,
    minutes: float | None,
    resume: bool,
    learn_all: bool,
    **settings: Any,
) -> None:
    """Train the built-in action recognizer on labelled clips.

    The first --data is what it is for; clips of split test are never read. The folder --out holds checkpoints and,
    at the end, recognizer.safetensors for --recognizer.
    """
    from t4vcodec.training import recognizer_training as training

    training.train_recognizer(
        training.Settings(**given(start=start, **settings), damage=damage),
        data or (training.BUILTIN,),
        out,
        where={key: value for pair in where for key, value in pair.items()},
        resume=resume,
        minutes=minutes,
        rendered=rendered,
        hold_out=not learn_all,
        echo=click.echo,
    )


@click.group()
def study() -> None:
    """Studies of what loss does to recognition, and of which packets matter to it."""


@study.command("frames")
@option(
    "--data", default="builtin:val", metavar="SET", help="Labelled clips: a folder, a CSV or builtin:val."
)
@option(
    "--recognizer",
    "recognizers",
    multiple=True,
    default=("builtin:rendered",),
    metavar="NAME",
    help="builtin:NAME, FILE, torchvision:NAME=FILE or onnx:FILE; given again: each with the --where of its place.",
)
@option(
    "--where", multiple=True, callback=pairs, metavar="KEY=VALUE", help="Which clips, such as place=set2."
)
@option(
    "--labels", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Classes, a line each."
)
@option("--drop", metavar="LIST", help="Policies, as in interval:3,each:0.3,ge:0.3:5.  [default: 14 of them]")
@option("--fill", metavar="LIST", help="Of freeze,following,blend,motion.  [default: all]")
@option("--keep", default="0", metavar="FRAMES", help="Never lost, as in 0,10-15.")
@option("--seeds", type=click.IntRange(min=1), help="Patterns of policies that are drawn.  [default: 3]")
@option("--only-right", is_flag=True, help="Leave out clips that are wrong without loss.")
@option("--critical", type=click.IntRange(min=0), help="Clips looked at frame by frame.  [default: 4]")
@option("--clips", type=click.IntRange(min=1), help="Rendered clips of each action.  [default: 20]")
@option("--out", default="study", help="Folder for what is written.")
def study_frames(
    data: str,
    recognizers: tuple[str, ...],
    where: list[dict[str, str]],
    labels: Path | None,
    drop: str | None,
    fill: str | None,
    keep: str,
    only_right: bool,
    clips: int | None,
    out: str,
    **settings: Any,
) -> None:
    """Which frames a recognizer can do without: drop, fill, recognize."""
    from t4vcodec.recognition import study as studies
    from t4vcodec.recognition.datasets import load_set
    from t4vcodec.recognition.frame_loss import parse_frames
    from t4vcodec.recognition.recognizer import load_recognizer

    parts = load_set(data, **given(numbers=clips)).parts(where, len(recognizers))
    lists = {name: tuple(text.split(",")) for name, text in (("policies", drop), ("fills", fill)) if text}
    studies.study_frames(
        [(part, load_recognizer(name, labels)) for part, name in zip(parts, recognizers)],
        studies.StudySettings(keep=parse_frames(keep), only_right=only_right, **lists, **given(**settings)),
        Path(out),
        click.echo,
    )


study.add_command(study_importance)
