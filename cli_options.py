"""What the commands' options have in common: defaults that are shown, values that are parsed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def option(*names: str, **settings: Any) -> Callable[[Callable], Callable]:
    """A click option that shows its default."""
    return click.option(*names, **{"show_default": settings.get("default") is not None} | settings)


def given(**settings: Any) -> dict[str, Any]:
    """The settings that were given; the others stay at the defaults of what is called."""
    return {name: value for name, value in settings.items() if value is not None}


def refuse_given(owner: str, *names: str) -> None:
    """Raises `click.UsageError` if one of these options, which belong to `owner` alone, stands in the command."""
    source = click.get_current_context().get_parameter_source
    for name in names:
        if source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} belongs to {owner}, leave it out")


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[float] | None:
    """A comma-separated list of numbers."""
    if value is None:
        return None
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 300,600") from None


def none_for_empty(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...] | None:
    """What was given, None where nothing was."""
    return values or None


RECOGNITION = ("recognizer", "where", "labels")
"""Names of `recognition_options`."""


def recognition_options(command: Callable) -> Callable:
    """Options of `eval` that say who looks at what is shown."""
    for add in (
        option(
            "--labels",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE.csv",
            help="A header clip,label and a line a clip, where --data has none.",
        ),
        option(
            "--where",
            multiple=True,
            callback=lambda *given: none_for_empty(*given) and pairs(*given),
            metavar="KEY=VALUE",
            help="Which clips, such as place=set2: split, place, group or label.",
        ),
        option(
            "--recognizer",
            multiple=True,
            callback=none_for_empty,
            metavar="NAME",
            help="builtin:NAME, FILE, torchvision:NAME=FILE, onnx:FILE or none; given again: each with the --where "
            "of its place.  [default: builtin:rendered, for rendered clips]",
        ),
    ):
        command = add(command)
    return command


def pairs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, str]]:
    """KEY=VALUE,KEY=VALUE of each time an option was given."""
    parsed = []
    for text in values:
        parts = [part.partition("=") for part in text.split(",") if part]
        if not all(key and equals and value for key, equals, value in parts):
            raise click.BadParameter(f"{text!r}: write KEY=VALUE, such as place=set1")
        parsed.append({key: value for key, _, value in parts})
    return parsed
