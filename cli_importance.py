"""The commands that train and judge the predictor of importance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from t4vcodec.cli_options import given, option, pairs
from t4vcodec.cli_recognition import study


@click.command("train-importance")
@option(
    "--data",
    multiple=True,
    metavar="SET",
    help="Labelled clips: a folder or a CSV; given again: learned beside it.  [default: builtin:train]",
)
@option(
    "--recognizer",
    "recognizers",
    multiple=True,
    metavar="NAME",
    help="Of each --data, best one that has not learned from it.  [default: builtin:rendered]",
)
@option(
    "--where",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="Which clips of each --data: split, place, group or label.",
)
@option("--out", default="runs/importance", help="Folder of labels and weights.")
@option("--labels", type=click.Path(path_type=Path), help="Folder that keeps labels.  [default: in --out]")
@option("--point", type=click.FloatRange(min=1), help="Rate, at 854x480 and 25 frames/s.  [default: 150]")
@option("--steps", type=click.IntRange(min=1), help="Steps of the run.  [default: 400]")
@option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Highest learning rate.  [default: 0.003]"
)
@option("--clips", type=click.IntRange(min=2), help="Of each --data, at most.  [default: 120]")
@option("--seed", type=click.IntRange(min=0), help="Of everything drawn.  [default: 0]")
def train_importance(
    data: tuple[str, ...],
    recognizers: tuple[str, ...],
    where: list[dict[str, str]],
    out: str,
    labels: Path | None,
    **settings: Any,
) -> None:
    """Train the predictor of which packets matter to a recognizer.

    Labels are made first, by one gradient through decoder and recognizer a clip (some seconds each), and kept.
    Clips of split test are never read. The folder --out then holds importance.safetensors.
    """
    data = data or ("builtin:train",)
    recognizers = recognizers or ("builtin:rendered",)
    if len(recognizers) != len(data):
        raise click.UsageError(f"{len(recognizers)} --recognizer for {len(data)} --data: give one for each")
    if len(where) not in (0, len(data)):
        raise click.UsageError(f"{len(where)} --where for {len(data)} --data: give one for each")
    from t4vcodec.training import importance_training as training

    training.train_importance(
        training.Settings(**given(**settings)),
        [training.Source(*source) for source in zip(data, recognizers, where or [{}] * len(data))],
        out,
        labels,
        click.echo,
    )


@study.command("predictor")
@option("--data", default="builtin:val", metavar="SET", help="Labelled clips to judge by.")
@option(
    "--where",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="Which clips: split, place, group or label.",
)
@option("--recognizer", default="builtin:rendered", metavar="NAME", help="Whose answer counts.")
@option(
    "--predictor",
    "predictors",
    multiple=True,
    metavar="NAME|FILE",
    help="builtin:NAME or a .safetensors file; given again: compared.  [default: all built-in ones]",
)
@option("--share", type=click.FloatRange(0, 1, min_open=True), help="Of packets measured.  [default: 0.25]")
@option("--clips", type=click.IntRange(min=1), help="Clips, at most.  [default: all]")
@option("--point", type=click.FloatRange(min=1), help="Rate, at 854x480 and 25 frames/s.  [default: 150]")
@option("--out", default="predictor", help="Folder for what is written.")
@option("--labels", type=click.Path(path_type=Path), help="Folder that keeps truths.  [default: in --out]")
def study_predictor(
    data: str,
    where: list[dict[str, str]],
    recognizer: str,
    predictors: tuple[str, ...],
    out: str,
    labels: Path | None,
    **settings: Any,
) -> None:
    """Whether the predictor puts the packets first that matter.

    Against chance, frame difference, packet size and the gradient; the truth is by decoding without each packet.
    """
    from t4vcodec.importance import predictor_study as judging
    from t4vcodec.importance.predictor import load_predictor, predictor_names
    from t4vcodec.recognition.datasets import load_set
    from t4vcodec.recognition.recognizer import load_recognizer

    clips = load_set(data)
    for part in where:
        clips = clips.where(**part)
    judging.study_predictor(
        clips.clips,
        load_recognizer(recognizer),
        [load_predictor(name) for name in predictors or [f"builtin:{n}" for n in predictor_names()]],
        judging.PredictorSettings(**given(**settings)),
        Path(out),
        labels,
        click.echo,
    )
