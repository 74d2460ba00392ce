"""Tables by counting, on a few frames: better at what they counted, and the same for the same call."""

import csv
from fractions import Fraction

import numpy as np
import pytest
from safetensors import safe_open
from t4vcodec.codec import Encoder, Setup
from t4vcodec.codec.models import load_tables, save_tables
from t4vcodec.errors import T4VError
from t4vcodec.media import open_writer
from t4vcodec.media.rendered import render_clip
from t4vcodec.training import table_training
from t4vcodec.training.table_training import train_tables, training_clips
from t4vcodec.training.tables import first_tables


def clip(seed, frames=3):
    return list(render_clip("walk", seed, "train", 96, 64, 25, frames))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three tiny clips, one of which must not be trained on."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("a", "b", "secret")):
        frames = clip(seed)
        with open_writer(folder / f"{name}.y4m", 96, 64, Fraction(25), frames[0].colour) as writer:
            for frame in frames:
                writer.write(frame)
    with (folder / "split.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "source", "split"])
        rows.writerows([["a.y4m", "x", "train"], ["b.y4m", "x", "train"], ["secret.y4m", "y", "val"]])
    return folder


@pytest.fixture(autouse=True)
def only_given_clips(monkeypatch):
    """Without the rendered ones, which are larger."""
    whole = table_training.list_clips
    monkeypatch.setattr(
        table_training, "list_clips", lambda data: [] if data == table_training.BUILTIN else whole(data)
    )


def size(model, frames):
    encoder = Encoder(Setup(96, 64, 25, str(model)), quality=26, threads=1)
    return sum(len(p) for frame in frames for p in encoder.push(frame))


def test_counted_tables_code_better_than_the_first_guess(data, tmp_path):
    lines = []
    out = train_tables(str(data), tmp_path / "t.safetensors", rounds=2, frames=3, echo=lines.append)
    first = tmp_path / "first.safetensors"
    save_tables(first_tables(), first)
    assert size(out, clip(0)) < 0.95 * size(first, clip(0))
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["first.safetensors", "t.safetensors"]
    assert "2 clips" in lines[0]
    with safe_open(out, "np") as file:
        facts = file.metadata()
    assert (facts["clips"], facts["rounds"]) == ("2", "2")
    assert facts["command"].startswith("t4vcodec train --only tables")
    assert facts["version"]


@pytest.mark.slow
def test_workers_give_the_same_tables(data, tmp_path):
    names = [tmp_path / f"{n}.safetensors" for n in (1, 2)]
    for workers, name in enumerate(names, 1):
        train_tables(str(data), name, rounds=2, frames=2, workers=workers, echo=lambda _: None)
    one, two = (load_tables(str(name)) for name in names)
    assert np.array_equal(one.row, two.row)
    assert np.array_equal(one.frequencies, two.frequencies)


def test_split_is_heeded(data, tmp_path):
    assert [p.rsplit("/", 1)[-1] for p in training_clips(str(data))] == ["a.y4m", "b.y4m"]
    (tmp_path / "one.y4m").write_bytes((data / "a.y4m").read_bytes())
    assert len(training_clips(str(tmp_path))) == 1
    (tmp_path / "split.csv").write_text("clip,split\none.y4m,val\n")
    with pytest.raises(T4VError, match="split train"):
        training_clips(str(tmp_path))
    (tmp_path / "split.csv").write_text("name\none.y4m\n")
    with pytest.raises(T4VError, match="columns"):
        training_clips(str(tmp_path))


def test_bad_settings_and_places(data, tmp_path):
    for settings in ({"rounds": 0}, {"frames": 0}, {"clips": 0}, {"workers": 0}):
        with pytest.raises(T4VError):
            train_tables(str(data), tmp_path / "t.safetensors", **settings)
    for out in (tmp_path, tmp_path / "no" / "t.safetensors"):
        with pytest.raises(T4VError):
            train_tables(str(data), out)
    assert list(tmp_path.iterdir()) == []
