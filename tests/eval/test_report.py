"""The report: complete, honest, self-contained, and readable in a real browser at two widths."""

import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from PIL import Image
from synthetic_results import CHANNELS, SCHEMES, synthetic_exhibits, synthetic_results
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.exhibits import save_exhibits
from t4vcodec.eval.records import read_results, write_results
from t4vcodec.eval.report import LARGEST, render_report, report_folder, write_report
from t4vcodec.eval.scheme_labels import channel_label, label_of
from t4vcodec.eval.summary import summarise

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def results():
    return synthetic_results()


@pytest.fixture(scope="module")
def few():
    """Enough for whatever needs no figures of its own."""
    return synthetic_results(seeds=2, frames=10, schemes=("t4v", "fec-sound-0", "fec-sound-3", "x264"))


@pytest.fixture(scope="module")
def page(results):
    return render_report(results, synthetic_exhibits())


def tables(page):
    """Rows of the differences' tables: (heading, text of each cell, class of each cell)."""
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.S):
        head = re.search(r'<th scope="row">(.*?)(?: <code>|<small>|</th>)', row, re.S)
        cells = re.findall(r'<td data-label="[^"]*" class="(\w*)">(.*?)</td>', row, re.S)
        if head and cells:
            texts = [re.sub(r"<[^>]+>", " ", text).split() for _, text in cells]
            found.append((unescape(head[1]), texts, [kind for kind, _ in cells]))
    return found


def test_every_scheme_and_channel_is_there(page):
    text = unescape(page)
    for scheme in SCHEMES:
        assert label_of(scheme).name in text
        assert f"<code>{scheme}</code>" in text or label_of(scheme).name == scheme
    for channel in CHANNELS:
        assert f">{channel_label(channel)}</th>" in text
        assert f"<code>{channel}</code>" in text


def test_figures_are_those_of_the_summary(page, results):
    """The first table, cell by cell: difference, interval, and a colour that follows from it."""
    by_name = {label_of(d.against).name: d.against for d in results.summary}
    found = {(d.against, d.channel): d for d in results.summary if d.measure == "ssim_db"}
    checked = 0
    for head, texts, kinds in tables(page)[: len(SCHEMES) - 1]:
        for channel, text, kind in zip(CHANNELS, texts, kinds):
            d = found[by_name[head], channel]
            assert text.pop(-2) == "mean"
            shown = [float(re.sub(r"[\[\],]", "", t).replace("−", "-")) for t in text[1:]]
            assert shown == pytest.approx([d.difference, d.low, d.high, d.mean], abs=0.0051)
            assert kind == ("ahead" if d.low > 0 else "behind" if d.high < 0 else "even")
            assert text[0] == {"ahead": "▲", "behind": "▼", "even": "≈"}[kind]
            checked += 1
    assert checked == len(CHANNELS) * (len(SCHEMES) - 1)


def test_losses_are_said_first(page):
    start = page.index('class="verdicts"')
    verdict = re.sub(r"<[^>]+>", "", page[start : page.index("</li>", start)]).replace("\xa0", " ")
    assert "fec-sound, no added delay" in verdict
    assert verdict.index("behind at 0 %") < verdict.index("ahead at 10 %")
    assert start < page.index("<table")


def test_clips_never_looked_at_are_apart(page, results):
    assert "eye on these 4: akiyo-cif-00, bear-480p-00, bedroom-360p-00, drinking-360p-00" in page
    assert "looked at while choosing: foreman-cif-00, tennis-240p-00" in page
    only = [r for r in results.records if not r.clip.startswith(("foreman", "tennis"))]
    (wanted,) = (
        d
        for d in summarise(only)
        if (d.against, d.channel, d.measure) == ("fec-sound-3", "ge:0.3:5", "ssim_db")
    )
    section = page[page.index('id="unseen"') :]
    row = next(texts for head, texts, _ in tables(section) if head == label_of("fec-sound-3").name)
    assert float(row[-1][1].replace("−", "-")) == pytest.approx(wanted.difference, abs=0.0051)


def test_no_clip_to_tell_apart(few):
    known = [r for r in few.records if r.clip == "akiyo-cif-00"]
    page = render_report(replace(few, records=known, clips=few.clips[:1]))
    assert 'id="unseen"' not in page
    assert "1 clip only" in page


def test_conditions_come_from_the_records(page, results):
    for text in ("300, 600, 1200 kbit/s", "352x288", "40 bytes", "1200 bytes", "gop: infinite", "tune: ssim"):
        assert text in page
    assert results.command in unescape(page)
    assert "t4vcodec report" in page
    assert "120 ms" in page
    assert "Gilbert-Elliott: 30 % of packets lost, in runs of 5 packets" in page


def test_missing_runs_are_named(few):
    fewer = [r for r in few.records if (r.scheme, r.clip) != ("fec-sound-3", "akiyo-cif-00")]
    fewer = [replace(r, vmaf=None) for r in fewer]
    page = render_report(replace(few, records=fewer))
    assert "fec-sound, up to 3 frames of delay: 27 of 162 runs are missing (3 pairs of clip and rate)" in page
    assert "5 of 6 clips" in page
    assert "VMAF was not measured" in page
    assert "<h3>VMAF" not in page


def test_curves_without_overlap_give_no_number(few):
    moved = [replace(r, psnr_y=r.psnr_y + 50) if r.scheme == "t4v" else r for r in few.records]
    page = render_report(replace(few, records=moved))
    assert "no number" in page
    assert "6 no quality in common" in page


def test_time_charts_show_best_middle_and_worst(page):
    assert re.search(r"<b>[\w-]+</b> <small>best: \+", page)
    assert "middle: " in page
    assert "worst: " in page
    assert "Loss 30 % in bursts of 5, point 600 kbit/s, seed 0" in page


def test_nothing_is_fetched(page):
    assert not re.search(r"https?://|//\w+\.\w", re.sub(r"data:[\w/;,+=]+", "", page))
    for address in re.findall(r'(?:src|href|action|data)="([^"]*)"', page):
        assert address.startswith(("data:", "#"))
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert len(page.encode()) < LARGEST


def test_names_cannot_break_out(few):
    evil = "<script>alert(1)</script>"
    records = [replace(r, clip=evil, preset=evil) for r in few.records if r.clip == "akiyo-cif-00"]
    clips = [replace(few.clips[0], name=evil)]
    shown = [replace(e, clip=evil, note=evil) for e in synthetic_exhibits(clips=("akiyo-cif-00",), frames=2)]
    page = render_report(replace(few, records=records, clips=clips, command=evil), shown)
    assert evil not in page
    data = json.loads(re.search(r'id="gallery-data">(.*?)</script>', page, re.S)[1])
    assert data["clips"][0]["name"] == evil


def test_gallery_holds_each_scheme_at_each_loss(page):
    data = json.loads(re.search(r'id="gallery-data">(.*?)</script>', page, re.S)[1])
    assert [clip["name"] for clip in data["clips"]] == ["foreman-cif-00", "akiyo-cif-00"]
    clip = data["clips"][0]
    assert [c["id"] for c in clip["channels"]] == list(CHANNELS)
    assert [s["id"] for s in clip["schemes"]] == ["source", "t4v", "fec-sound-0", "fec-sound-3", "x264"]
    assert clip["channels"][data["start"][0]]["id"] == "0.3"
    for scheme in clip["schemes"][1:]:
        assert set(scheme["shown"]) == set(CHANNELS)
        for shown in scheme["shown"].values():
            assert all(data["pictures"][n].startswith("data:image/webp") for n in shown["pictures"])
    assert page.count("<img") == 5


def test_without_exhibits_there_is_no_gallery(few):
    page = render_report(few)
    assert 'id="look"' not in page
    assert 'href="#look"' not in page


def test_the_committed_results_have_a_report():
    page = render_report(read_results(ROOT / "docs" / "results" / "codec-test.json"))
    assert "x264 without any loss" in page
    page = render_report(read_results(ROOT / "docs" / "results" / "builtin-val.json"))
    assert "x264, unprotected" in page
    assert "fec-sound, no added delay" in page


def test_one_clip_one_rate_one_seed(few):
    records = [
        r for r in few.records if r.clip == "akiyo-cif-00" and r.config["point"] == 600 and r.seed == 0
    ]
    records = [r for r in records if r.channel == "0.3" and r.scheme in ("t4v", "fec-sound-0")]
    page = render_report(replace(few, records=records, clips=few.clips[:1]))
    assert "one run, no interval" in page
    assert "[+" not in re.sub(r"<svg.*?</svg>", "", page)


def test_nothing_to_report(few, tmp_path):
    theirs = [r for r in few.records if r.scheme != "t4v"]
    for records in ([], theirs):
        with pytest.raises(EvalError, match="no record of t4v"):
            write_report(replace(few, records=records), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_ours_alone(few):
    alone = [r for r in few.records if r.scheme == "t4v"]
    assert "x264 without any loss" in render_report(replace(few, records=alone))
    bare = [replace(r, reference=None, ssim_frames=None) for r in alone]
    page = render_report(replace(few, records=bare))
    assert "162 of our runs have no x264 of the same bytes" in page
    assert "keeps no figures of single frames" in page


def test_a_folder_is_reported_again(few, tmp_path):
    small = replace(few, records=[r for r in few.records if r.scheme in ("t4v", "fec-sound-0")])
    write_results(tmp_path / "results.json", small)
    path = report_folder(tmp_path)
    assert path == tmp_path / "report.html"
    assert 'id="look"' not in path.read_text(encoding="utf-8")
    save_exhibits(tmp_path / "exhibits.npz", synthetic_exhibits(frames=2))
    first = report_folder(tmp_path).read_bytes()
    assert b'id="look"' in first
    assert report_folder(tmp_path).read_bytes() == first
    with pytest.raises(EvalError, match=r"results\.json"):
        report_folder(tmp_path / "nowhere")


def test_templates_are_packaged():
    """What is not listed works in an editable install and is absent from the wheel."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "templates/*" in settings["package-data"]["t4vcodec.eval"]


def browse(folder, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-quic"]
    command += [
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        f"--user-data-dir={folder}",
    ]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=True)


@needs_browser
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_its_window(page, tmp_path, width):
    """In a frame of that width, since windows can't be narrower than 500; scripts run, nothing complains."""
    probe = (
        "<script>addEventListener('load', () => parent.postMessage([document.documentElement.scrollWidth,"
        " innerWidth, document.querySelectorAll('#g-panels canvas').length].join(' '), '*'))</script></body>"
    )
    (tmp_path / "report.html").write_text(page.replace("</body>", probe), encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        "<script>addEventListener('message', e => document.body.dataset.said = e.data)</script>"
        f'<iframe src="report.html" style="width:{width}px;height:800px;border:0"></iframe>',
        encoding="utf-8",
    )
    options = ["--window-size=1600,900", "--virtual-time-budget=5000", "--dump-dom"]
    done = browse(tmp_path / "profile", *options, (tmp_path / "frame.html").as_uri())
    scrolled, window, canvases = map(int, re.search(r'data-said="([\d ]+)"', done.stdout)[1].split())
    assert window == width
    assert scrolled <= width
    assert canvases == 5
    assert "CONSOLE" not in done.stderr


@needs_browser
def test_controls_work(page, tmp_path):
    """The loss slider, the player, the choice of a clip, and the legend that hides curves."""
    probe = """<script>addEventListener('load', () => {
      const at = id => document.getElementById(id), said = {}, say = (k, v) => { said[k] = v; };
      const input = (id, value, kind) => { at(id).value = value; at(id).dispatchEvent(new Event(kind)); };
      input('g-loss', 4, 'input'); say('loss', at('g-loss-name').textContent);
      say('captions', at('g-panels').textContent);
      input('g-frame', 0, 'input'); at('g-play').click();
      const key = document.querySelector('#curves .legend [data-key="x264"]'); key.click();
      const curves = [...document.querySelectorAll('#curves .series[data-key="x264"]')];
      say('hidden', curves.length && curves.every(c => getComputedStyle(c).display === 'none'));
      // However slow the machine is: until two frames have passed.
      const playing = setInterval(() => {
        if (at('g-frame').value < 2) return;
        clearInterval(playing); at('g-play').click(); say('play', at('g-play').textContent);
        input('g-clip', 1, 'change'); say('reset', at('g-loss-name').textContent);
        document.body.dataset.said = JSON.stringify(said);
      }, 10);
    });</script></body>"""
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", probe), encoding="utf-8")
    done = browse(tmp_path / "profile", "--virtual-time-budget=5000", "--dump-dom", path.as_uri())
    said = json.loads(unescape(re.search(r'data-said="([^"]+)"', done.stdout)[1]))
    assert said["loss"] == "30 % in bursts of 5"
    assert "lost 1 of 4 packets" in said["captions"]
    assert said["hidden"] is True
    assert said["play"] == "▶ Play"
    assert said["reset"] == "30 %"
    assert "CONSOLE" not in done.stderr


@needs_browser
@pytest.mark.parametrize("size", [(1440, 1600), (390, 1600)])
def test_screenshots_show_something(page, tmp_path, size):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    shot = tmp_path / "shot.png"
    options = [f"--window-size={size[0]},{size[1]}", "--hide-scrollbars", f"--screenshot={shot}"]
    browse(tmp_path / "profile", *options, (tmp_path / "report.html").as_uri())
    picture = Image.open(shot).convert("RGB")
    assert picture.size == size
    # Paper at both margins, and colours of wins and losses between them.
    assert len({picture.getpixel((x, y)) for x in (1, size[0] - 2) for y in range(0, size[1], 7)}) == 1
    assert len(picture.getcolors(1 << 20) or range(999)) > 50
