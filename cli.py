"""The command line: parse, call, print. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click
from t4vcodec import __version__
from t4vcodec.cli_importance import train_importance
from t4vcodec.cli_live import receive, send
from t4vcodec.cli_options import RECOGNITION, given, numbers, option, recognition_options, refuse_given
from t4vcodec.cli_recognition import study, train_recognizer
from t4vcodec.cli_tradeoff import tradeoff
from t4vcodec.errors import T4VError

ITEM = TypeVar("ITEM")
DEFAULT_POINT = 600.0


class Commands(click.Group):
    """A group whose every failure is one line on standard error and exit code 2, never a traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **settings)
        code = None
        try:
            code = super().main(*args, standalone_mode=False, **settings)
            sys.stdout.flush()
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", 130)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx is not None else "t4vcodec"
            _fail(f"{error.format_message().rstrip('.')}: see {path} --help")
        except click.ClickException as error:
            _fail(error.format_message())
        except (T4VError, OSError, MemoryError) as error:
            if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
                _end_quietly()
            _fail(_reason(error))
        sys.exit(code if isinstance(code, int) else 0)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: try fewer frames, smaller pictures or fewer workers"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _fail(message: str, code: int = 2) -> None:
    with suppress(OSError):
        click.echo(f"t4vcodec: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _end_quietly() -> None:
    """Whoever read our output has gone: nothing to say, and nothing to say it to."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _use_threads() -> None:
    """torch at two threads unless OMP_NUM_THREADS says otherwise: pictures are small, more only wait."""
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(min(2, _cores()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _warn(message: str) -> None:
    click.echo(f"t4vcodec: {message}", err=True)


def _with_progress(items: Iterable[ITEM], label: str, length: int | None) -> Iterator[ITEM]:
    """The items, with a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label=label, length=length, file=sys.stderr) as bar:
        yield from bar


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="t4vcodec %(version)s")
def main() -> None:
    """Video whose picture degrades gracefully at any packet loss.

    \b
    A first look, without any data (minutes; a table, plots in results/):
      t4vcodec eval --loss 0.1,0.3,0.6
    A video of yours, with 30 % of its packets lost:
      t4vcodec encode in.mp4 out.t4v --kbps 300
      t4vcodec decode out.t4v seen.mp4 --loss 0.3
    """


@main.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.t4v")
@option("--kbps", type=float, help="Target rate, 40 bytes of IP/UDP/RTP headers a packet included.")
@option("--quality", type=click.IntRange(0, 63), help="Constant quality instead: 0 (fine) to 63 (coarse).")
@option("--resilience", type=click.FloatRange(0, 0.5), help="Loss to be made for; the real one is not known.")
@option("--model", metavar="NAME|FILE", help="A model of the package, or a .safetensors file.")
@option("--frames", type=click.IntRange(min=1), help="Encode at most so many frames.")
def encode(
    source: str,
    target: str,
    kbps: float | None,
    quality: int | None,
    resilience: float | None,
    model: str | None,
    frames: int | None,
) -> None:
    """Encode a video into a .t4v file.

    IN is any video file, a folder of pictures, a .y4m file, "-" (y4m on standard input), a camera
    (/dev/video0) or a rendered clip such as builtin:test/walk-00.

    Without --kbps and --quality the rate follows from the size: 600 kbit/s at 854x480 and 25 frames per
    second, elsewhere in proportion to the pixel rate to the power 0.75.
    """
    if kbps is not None and quality is not None:
        raise click.UsageError("--kbps and --quality contradict each other, give one of them")
    if not target.endswith(".t4v"):
        raise click.UsageError(f"OUT must end in .t4v, got {target}")
    _use_threads()
    from t4vcodec.codec import Encoder, Setup
    from t4vcodec.codec.container import ContainerWriter
    from t4vcodec.eval.scheme import scaled_kbps
    from t4vcodec.media import open_video

    with open_video(source, frames) as video:
        info = video.info
        setup = Setup(info.width, info.height, info.fps, **given(model=model))
        if kbps is None and quality is None:
            kbps = max(scaled_kbps(DEFAULT_POINT, info.width, info.height, float(info.fps)), 1.0)
        encoder = Encoder(setup, **given(kbps=kbps, quality=quality, resilience=resilience))
        size = packets = count = 0
        with ContainerWriter(target, setup, info.colour) as writer:
            for frame in _with_progress(video, "Encoding", info.frames):
                sent = encoder.push(frame)
                writer.write(frame.time, sent)
                size += encoder.stats.bytes
                packets += len(sent)
                count += 1
    rate = size * 8 / 1000 / (count / float(setup.fps))
    click.echo(
        f"{target}: {count} frames of {info.width}x{info.height}, {packets} packets, {rate:.1f} kbit/s"
    )


@main.command()
@click.argument("source", metavar="IN.t4v")
@click.argument("target", metavar="OUT")
@option("--loss", metavar="CHANNEL", help="0.3, 30%, ge:0.3:5, get:0.3:40, tambur, teleop or a trace file.")
@option("--seed", type=click.IntRange(min=0), default=0, help="Which run of the channel.")
def decode(source: str, target: str, loss: str | None, seed: int) -> None:
    """Decode a .t4v file, packets lost if wanted.

    OUT is an .mp4, .mkv or .y4m file, "-" (y4m on standard output) or a new folder for PNG pictures. Every
    frame has a picture, whatever was lost. The same channel, seed and name of IN lose the same packets.
    """
    from t4vcodec.network.channels import parse_channel

    channel = None if loss is None else parse_channel(loss)
    _use_threads()
    from t4vcodec.codec.container import ContainerReader
    from t4vcodec.codec.playback import Playback
    from t4vcodec.media import open_writer

    reader = ContainerReader(source)
    setup = reader.setup
    session = None if channel is None else channel.session(Path(source).stem, seed)
    playback = Playback(reader, None if session is None else lambda time: not session.lost(time))
    pictures = iter(playback)
    first = next(pictures, None)
    if first is None:
        raise T4VError(f"{source}: holds no whole frame: get the file again")
    with open_writer(target, setup.width, setup.height, setup.fps, reader.colour) as writer:
        writer.write(first)
        for picture in _with_progress(pictures, "Decoding", None):
            writer.write(picture)
    _warn_of_damage(source, reader.damage, playback.frames, playback.damaged)
    if target != "-":
        lost = "" if channel is None else f", {playback.lost} lost"
        click.echo(f"{target}: {playback.frames} frames, {playback.packets} packets{lost}")


def _warn_of_damage(source: str, damage: Any, frames: int, packets: int) -> None:
    found = []
    if damage.truncated:
        found.append(f"ends early, after {frames} whole frames")
    elif damage.skipped:
        found.append(f"{damage.skipped} bytes are damaged")
    if packets:
        found.append(f"{packets} packets are damaged and count as lost")
    if found:
        _warn(f"warning: {source}: {'; '.join(found)}")


@main.command()
@click.argument("source", metavar="FILE.t4v")
def info(source: str) -> None:
    """What a .t4v file holds, and where bits go."""
    _use_threads()
    from t4vcodec.codec.container import ContainerReader
    from t4vcodec.codec.contexts import KEY_FRAME, LONG_FRAME
    from t4vcodec.codec.stream_info import read_info

    reader = ContainerReader(source)
    facts = read_info(reader)
    setup = reader.setup
    if not facts.frames:
        raise T4VError(f"{source}: holds no whole frame: get the file again")
    half = f", {facts.half} at half size" if facts.half else ""
    kinds = f"{facts.classes[KEY_FRAME]} key, {facts.classes[LONG_FRAME]} long-term{half}"
    payload = facts.payload / max(facts.packets, 1)
    lines = {
        "picture": f"{setup.width}x{setup.height}, {float(setup.fps):.6g} frames per second",
        "frames": f"{facts.frames} ({kinds}), {facts.seconds:.2f} s",
        "model": setup.model,
        "rate": f"{facts.kbps:.1f} kbit/s with 40 bytes of IP/UDP/RTP a packet",
        "packets": f"{facts.packets}, {facts.packets / facts.frames:.1f} a frame, {payload:.0f} bytes each "
        "without headers",
    }
    if facts.qualities:
        mean = sum(facts.qualities) / len(facts.qualities)
        lines["quality"] = f"{mean:.1f} on average, {min(facts.qualities)} to {max(facts.qualities)} (of 63)"
    for name, text in lines.items():
        click.echo(f"{name:10}{text}")
    click.echo("share of bits")
    for part, share in facts.shares.items():
        click.echo(f"  {part:8}{100 * share:5.1f} %")
    _warn_of_damage(source, reader.damage, facts.frames, facts.damaged)


@main.command("eval")
@option("--loss", metavar="LIST", help="Channels, as in 0.1,ge:0.3:5; 0 is added.  [default: 0.1,0.3,0.6]")
@option("--data", default="builtin:val", help="A folder, a file, or builtin:train, val or test.")
@option("--kbps", metavar="LIST", callback=numbers, help="Rates in kbit/s, as they are.")
@option(
    "--points",
    metavar="LIST",
    callback=numbers,
    help="Rates at 854x480 and 25 frames per second, scaled to each clip.  [default: 600]",
)
@option(
    "--baselines",
    metavar="LIST",
    default="x264,x265",
    help="The opponents' codecs, of x264,x265,av1,vp9; none: ours alone.",
)
@option(
    "--redundancies",
    metavar="LIST",
    callback=numbers,
    help="At which each of them is shown alone, too.  [default: 0.5,1,2]",
)
@option(
    "--profile",
    type=click.Choice(["quick", "full"]),
    default="quick",
    help="full: points 300,600,1200, losses 0,0.1,0.3,0.6,ge:0.3:5, 8 seeds, a longer search.",
)
@option("--seeds", type=click.IntRange(min=1), help="Runs of each channel.  [default: 3]")
@option("--frames", type=click.IntRange(min=1), default=60, help="Frames of each clip, at most.")
@option("--clips", type=click.IntRange(min=1), help="Clips, at most.  [default: 4 rendered ones, all others]")
@recognition_options
@option("--resilience", type=click.FloatRange(0, 0.5), help="As for encode.")
@option("--model", metavar="NAME|FILE", help="As for encode.")
@option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core, at most 4]")
@option(
    "--regime",
    type=click.Choice(["one-way", "sessions"]),
    default="one-way",
    help="sessions: ours with reports, opponents over transports that hear back.",
)
@option("--rtt", metavar="LIST", callback=numbers, help="Sessions: round trips in ms.  [default: 50,100,240]")
@option("--deadline", metavar="LIST", callback=numbers, help="Sessions: ms to the picture.  [default: 200]")
@option(
    "--report-delay", metavar="LIST", callback=numbers, help="Sessions: frames until a report, not --rtt."
)
@option("--cluster", metavar="ADDRESS", help="A Dask scheduler to use instead, as in tcp://host:8786.")
@option("--out", default="results", help="Folder for what is written.")
def evaluate(
    loss: str | None,
    data: str,
    baselines: str,
    workers: int | None,
    out: str,
    regime: str,
    rtt: list[float] | None,
    deadline: list[float] | None,
    report_delay: list[float] | None,
    **settings: Any,
) -> None:
    """Measure over channels that lose packets.

    Ours and its opponents: standard codecs with error correction at the same bytes, over the same losses.
    Prints tables and writes results.json, report.html and pictures into the folder --out. An interrupted run
    goes on where it stopped.
    """
    if settings["kbps"] is not None and settings["points"] is not None:
        raise click.UsageError("--kbps and --points contradict each other, give one of them")
    session = given(rtts=rtt, deadlines=deadline, report_delays=report_delay)
    if regime == "one-way" and session:
        raise click.UsageError("--rtt, --deadline and --report-delay belong to --regime sessions")
    if rtt is not None and report_delay is not None:
        raise click.UsageError("--rtt and --report-delay contradict each other, give one of them")
    if regime == "sessions":
        refuse_given("--regime one-way", "profile", "redundancies", "workers", "cluster", *RECOGNITION)
        settings.pop("profile")
    from t4vcodec.eval.command import run_eval
    from t4vcodec.eval.session_command import run_sessions

    common = {"data": data, "baselines": baselines.split(","), "out": out, "echo": click.echo}
    try:
        if regime == "sessions":
            run_sessions(**common, **given(losses=loss, **settings), **session)
            return
        run_eval(**common, workers=workers or min(_cores(), 4), **given(losses=loss, **settings))
    except KeyboardInterrupt:
        _fail(f"interrupted: the same command goes on where it stopped ({out} holds what was measured)", 130)


@main.command()
@click.argument("folder", metavar="DIR")
@option("--csv", "table", metavar="FILE", help="Write all records as CSV, too.")
def report(folder: str, table: str | None) -> None:
    """Make an evaluation's report again.

    DIR was --out of eval: it holds results.json, and exhibits.npz for the pictures. Writes report.html into
    it, one file that opens without a network.
    """
    from t4vcodec.eval.report import report_folder
    from t4vcodec.eval.results_folder import results_of, write_csv

    results = results_of(Path(folder))
    click.echo(f"Wrote {report_folder(Path(folder))}")
    if table is not None:
        write_csv(results, Path(table))
        click.echo(f"Wrote {table}")


@main.command()
@option(
    "--train-loss", metavar="LOSS", help="Packets erased: 0, 0.3, a range 0:0.6, or mixed.  [default: 0.3]"
)
@option("--only", type=click.Choice(["tables"]), help="Count the probability tables instead.")
@option("--data", help="Clips to train on; split.csv in the folder is heeded.  [default: rendered ones]")
@option("--out", help="Folder of the run, or with --only the file.  [default: runs/t4v, tables.safetensors]")
@option("--size", type=click.Choice(["t4v-tiny", "t4v-base", "t4v-large"]), help="Of the network.")
@option("--metric", type=click.Choice(["mse", "ssim", "mix"]), help="What to minimise.  [default: mix]")
@option("--steps", type=click.IntRange(min=1), help="Steps of the whole run.  [default: 2000]")
@option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so many.")
@option("--resume", is_flag=True, help="Go on after the last checkpoint in --out.")
@option("--seed", type=click.IntRange(min=0), help="Of everything drawn.  [default: 0]")
@option("--wandb", type=click.Choice(["online", "offline", "disabled"]), help="Where to track the run.")
@option("--clips", type=click.IntRange(min=1), help="With --only: clips of each source, at most.")
@option("--rounds", type=click.IntRange(min=1), default=4, help="With --only: times to count and rebuild.")
@option("--frames", type=click.IntRange(min=2), default=20, help="With --only: frames of a clip, at most.")
@option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core, at most 4]")
def train(
    train_loss: str | None,
    only: str | None,
    data: str | None,
    out: str | None,
    clips: int | None,
    rounds: int,
    frames: int,
    workers: int | None,
    minutes: float | None,
    resume: bool,
    wandb: str | None,
    **settings: Any,
) -> None:
    """Train a model on video whose packets get lost.

    The synthesis network learns through time, on streams that are encoded anew as it changes. The folder
    --out holds checkpoints and, at the end, model.safetensors for --model.

    The probability tables are made by encoding clips and counting symbols: --only tables.
    """
    workers = workers or min(_cores(), 4)
    if only is not None:
        if train_loss is not None or minutes is not None or resume or wandb or given(**settings):
            raise click.UsageError(
                "--only tables counts: it takes no loss, steps, minutes, size, metric or seed"
            )
        from t4vcodec.training.table_training import train_tables

        train_tables(data, out or "tables.safetensors", clips, rounds, frames, workers, click.echo)
        return
    from t4vcodec.training.synthesis_training import Settings, train_synthesis

    train_synthesis(
        Settings(**given(train_loss=train_loss, **settings)),
        data,
        out or "runs/t4v",
        resume=resume,
        minutes=minutes,
        workers=workers,
        wandb=wandb,
        echo=click.echo,
    )


@main.command()
@option("--frames", type=click.IntRange(min=2), default=30, help="Frames of each clip.")
def bench(frames: int) -> None:
    """Speed and memory, x264 and x265 beside it."""
    from t4vcodec.eval.bench import run_bench

    run_bench(frames, click.echo)


for command in (receive, send, study, tradeoff, train_importance, train_recognizer):
    main.add_command(command)
