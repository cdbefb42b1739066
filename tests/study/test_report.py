"""The report of a study: what it says, that it is safe, whole and the same each time."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nvcodec.errors import OutputError, UsageError
from nvcodec.study.report import write_report
from nvcodec.study.report.content import content, frame_rows
from nvcodec.study.report.headlines import bits as bits_text
from nvcodec.study.report.markdown import code, escaped
from nvcodec.study.report.plots import binned, log_ticks, percent_ticks
from nvcodec.study.report.style import styles
from nvcodec.study.report.tables import time_missing
from nvcodec.study.report.text import percent, printable, shortened, significant, whole
from nvcodec.study.rows import Row

HOSTILE = "<script>alert(1)</script>\"'&$x_1$\u202e\x00\ud800 {{ 7*7 }} _|`"
COUNT = 4


def row(codec, configuration, index, clip="a.mp4", factor=1.0, **more):
    given = dict(
        family="classical", frames=3, width=176, height=144, bytes=1000 + index, video_bytes=1000 + index,
        psnr_yuv=30.0 + 3 * index, psnr_rgb=29.0 + 3 * index, vmaf=50.0 + 10 * index, encode_seconds=3.0,
        decode_fps=25.0, encode_peak_bytes=10**8, threads=1, jobs=1, encoder=f"{codec} 1.0", machine="machine A",
        command=f"{codec} -i {clip} -q {index}", commit="abc", started="2026-11-22T10:00:00Z",
        per_frame={"psnr_yuv": [30.0, 31.0, None], "bits": [800, 90, 95]},
    )  # fmt: skip
    key = f"{clip} {codec} {configuration} {index}"
    return Row(clip, codec, configuration, f"q{index}", factor * 0.0123 * 2**index, key, **{**given, **more})


def study(clip="a.mp4"):
    return [
        *(row("x265", "medium", i, clip) for i in range(COUNT)),
        *(row("x265", "veryslow", i, clip, 0.8, encode_seconds=30.0) for i in range(COUNT)),
        *(row("hnerv", "fast", i, clip, 3.2, family="fitted", encode_seconds=3.0) for i in range(COUNT)),
        *(row("hnerv", "2m", i, clip, 1.5, family="fitted", encode_seconds=300.0) for i in range(COUNT)),
    ]


class Page(HTMLParser):
    """Elements, attributes and text of a page; complains of tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "input", "path", "use", "rect", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        if tag not in ("path", "use", "rect"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(content, page text, page) of two clips, one with a hostile name, a published figure and a failed point."""
    folder = tmp_path_factory.mktemp("report")
    hostile = [replace(r, codec=r.codec.replace("x265", f"x265 {HOSTILE}")) for r in study(HOSTILE)]
    rows = [
        *study(), *hostile,
        *(row("paper", "", i, factor=0.5, family="published", source="Some paper, table 3") for i in range(3)),
        row("elsewhere", "", 1, "other.mp4", family="published"),
        row("hnerv", "fast", 9, family="fitted", error=f"out of memory {HOSTILE}"),
    ]  # fmt: skip
    result = write_report(rows, folder / "r.html", title=HOSTILE)
    text = (folder / "r.html").read_text()
    return result, text, Page(text)


def test_hostile_names_stay_text(made):
    _, text, page = made
    assert "script" not in page.tags and "<script" not in text
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "49" not in page.words and "{{ 7*7 }}" in text  # no template in a template
    shown = "<script>alert(1)</script>\"'&$x_1$??? {{ 7*7 }} _|`"
    assert any(word.strip() == shown for word in page.words)
    assert "\x00" not in text and "\u202e" not in text


def test_nothing_is_loaded(made):
    _, text, page = made
    loading = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    assert all(value.startswith("#") for value in loading)
    assert not re.findall(r"@import|url\((?!#)", text)
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_every_point_and_its_command_is_there(made):
    result, _, page = made
    words = set(page.words)
    assert len(result.rows) == 8 * COUNT + 3
    for point in result.rows:
        assert point.command in words and point.label in words
        assert any(word.startswith(f"{point.label} {point.rate}: ") for word in words), "no such mark in a plot"
    assert {"elsewhere"} & words == set()


def test_what_must_be_said_is_said(made):
    result, text, page = made
    words = "\n".join(page.words)
    assert result.anchor == "x265 medium" and "(BD-rate" in words and "BD-rate against x265 medium" in words
    assert dict(result.headlines)["hnerv fast"].startswith("needs 3.2 times the bits of x265 medium at equal PSNR YUV")
    assert "encodes in 1.0 s a frame (x265 medium: 1.0 s)" in dict(result.headlines)["hnerv fast"]
    assert "Some paper, table 3" in words and "out of memory" in words and "1 point failed" in words
    for said in ("bpp", "PSNR YUV 6:1:1", "machine A", "abc", "linear rate", "MS-SSIM is not defined below 161"):
        assert said in words
    assert text.count("<svg") == text.count("</svg>") >= 2 * 3 * 2


def test_the_same_rows_give_the_same_bytes(tmp_path):
    rows = study()[: 2 * COUNT]
    for name in ("r.html", "r.svg", "r.png", "r.md", "r.csv"):
        first = tmp_path / name
        write_report(rows, first)
        data = first.read_bytes()
        write_report(rows, first)
        assert first.read_bytes() == data, name
        assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_markdown_and_csv(tmp_path):
    rows = [*study(), *study("b|c.mp4"), row("hnerv", "2m", 9, family="fitted", error="it failed")]
    write_report(rows, tmp_path / "r.md", metric="vmaf")
    text = (tmp_path / "r.md").read_text()
    assert text.index("BD-rate at equal VMAF") < text.index("BD-rate at equal PSNR YUV 6:1:1")
    assert "| hnerv 2m | +50.0 % (1.00) | +50.0 % |" in text and "b\\|c.mp4" in text and "it failed" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    points = [line for line in tables if re.match(r"\| (a|b\\\|c)\.mp4 \| ", line)]
    assert len(points) == 8 * COUNT + 1
    write_report(rows, tmp_path / "r.csv")
    found = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text())))
    assert len(found) == len(rows) and found[0]["label"] == "hnerv fast" and float(found[0]["psnr_yuv"]) == 30.0
    assert "per_frame" not in found[0] and found[-1]["error"] == "it failed"


def test_notes():
    rows = study()
    rows[0] = replace(rows[0], jobs=3)
    rows[1] = replace(rows[1], machine="machine B", commit="abc+", threads=2)
    rows[2] = replace(rows[2], frames=7)
    rows.append(replace(rows[3], key="again"))
    beaten = replace(rows[5], rate="q7", bpp=9.0, key="beaten")
    low = [replace(row("nerv", "fast", i, family="fitted"), psnr_yuv=22.0 + 3 * i) for i in range(COUNT)]
    steep = [row("odd", "", i) for i in range(COUNT)]
    steep = [replace(r, psnr_yuv=q) for r, q in zip(steep, (30.0, 38.5, 38.7, 39.0), strict=True)]
    said = "\n".join(content([*rows, beaten, *low, *steep]).notes)
    for part in (
        "Times are not for citing: 1 of", "up to 3 points", "1, 2 threads", "2 machines", "machine B (1 point)",
        "2 commits", "not committed", "176x144, 7 frames", "1 point came up more than once",
        "where Akima and PCHIP disagree: odd on a.mp4 (",
        "x265 veryslow q7 on a.mp4", "Fragile at equal PSNR YUV 6:1:1", "nerv fast (1 clip, from 0.06)",
    ):  # fmt: skip
        assert part in said, part
    assert content(study()).notes == ()


def test_cuts_of_one_clip_are_reported_apart():
    made = content([*study(), *(replace(r, frames=7, key=f"{r.key} again") for r in study())])
    names = ("a.mp4 (176x144, 3 frames)", "a.mp4 (176x144, 7 frames)")
    assert made.clips == names and len(made.rows) == 8 * COUNT
    assert "a.mp4 was measured as 2 different clips: 176x144, 3 frames; 176x144, 7 frames." in made.notes


def test_sources_of_published_figures_are_a_list(tmp_path):
    more = [row("paper", f"model {i}", 1, factor=0.5, family="published", source=f"Table {i}") for i in range(9)]
    made = write_report([*study(), *more], tmp_path / "r.html")
    assert "9 curves of published figures: not measured here, from the sources listed below." in made.notes
    text = (tmp_path / "r.html").read_text()
    assert all(f"<dt>paper model {i}</dt><dd>Table {i}</dd>" in text for i in range(9))
    write_report([*study(), *more], tmp_path / "r.md")
    assert "- paper model 8: Table 8" in (tmp_path / "r.md").read_text()


def papers(**more):
    return [row("paper", "", i, factor=0.5, family="published", source="Table 3", **more) for i in range(COUNT)]


def test_published_figures_have_no_headline_and_no_average(tmp_path):
    classical = [r for r in study() if r.codec == "x265"]
    made = content([*classical, *papers()])
    assert [label for label, _ in made.headlines] == ["x265 veryslow"]
    assert made.main.table.labels == ("x265 veryslow",) and made.main.published.labels == ("paper",)
    assert "paper" not in {point.label for point in made.times}
    write_report([*classical, *papers()], tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text()
    block = text[text.index("### Published figures: other conditions (see below)") :]
    assert block.splitlines()[2:5] == ["|  | a.mp4 |", "| --- | ---: |", "| paper | -50.0 % (1.00) |"]
    assert "- paper: Table 3" in block and "| paper |" not in text[: text.index(block)]


def test_published_figures_stand_apart_in_the_page(tmp_path):
    write_report([*study(), *papers(frames=None)], tmp_path / "r.html", conditions=["Frames: <all>", "PSNR: a mean"])
    text = (tmp_path / "r.html").read_text()
    assert text.index("<h3>BD-rate against") < text.index("<h3>Published figures: other conditions (see below)</h3>")
    assert "<dt>paper</dt><dd>conditions differ: frames not stated; Table 3</dd>" in text
    assert "paper <small>(published)</small>" in text
    assert "<li>Frames: &lt;all&gt;</li>\n<li>PSNR: a mean</li>" in text
    write_report(study(), tmp_path / "r.html")
    assert "Conditions of this study" not in (tmp_path / "r.html").read_text()
    assert "other conditions" not in (tmp_path / "r.html").read_text()


def test_figures_of_other_frames_are_left_out_and_a_published_anchor_is_said():
    assert "paper" not in content([*study(), *papers(frames=600)]).labels
    notes = content([*study(), *papers()], anchor="paper").notes
    assert any(note.startswith("The anchor paper is a published figure, of other conditions") for note in notes)


def test_codecs_without_a_shared_time_are_listed():
    slow = [row("aom", "low-delay", i, encode_seconds=900.0) for i in range(COUNT)]
    quick = [row("svtav1", "8", i, encode_seconds=0.1) for i in range(COUNT)]
    classical = [r for r in study() if r.codec == "x265"]
    said = time_missing(content([*classical, *slow, *quick]))
    assert said == ["aom low-delay shares no encode time with: svtav1, x265", "svtav1 shares no encode time with: x265"]


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    signs = ("=1+1", "+1", "-1", "@SUM(1)")
    rows = [row("x265", "medium", i, command=sign, clip=sign) for i, sign in enumerate(signs)]
    write_report(rows, tmp_path / "r.csv")
    found = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text())))
    assert sorted(cells["command"] for cells in found) == sorted(f"'{sign}" for sign in signs)
    assert all(cells["clip"] == cells["command"] and float(cells["bpp"]) > 0 for cells in found)
    assert not {"pictures", "source_pictures"} & set(found[0])


def test_a_codec_that_cannot_be_compared_says_why():
    low = [replace(row("nerv", "fast", i, family="fitted"), psnr_yuv=5.0 + i) for i in range(COUNT)]
    (headline,) = [said for label, said in content([*study(), *low]).headlines if label == "nerv fast"]
    assert headline.startswith("has no BD-rate against x265 medium at equal PSNR YUV 6:1:1: no shared quality.")
    assert "At equal rate it is" in headline and "dB worse (1 clip)" in headline


@pytest.mark.parametrize("name", ["r.html", "r.svg", "r.md", "r.csv"])
@pytest.mark.parametrize(
    "rows",
    [
        [row("x265", "medium", 0)],
        [row("x265", "medium", 0, per_frame={"psnr_yuv": ["x", {}], "bits": "no", "vmaf": 3})],
        [row("x265", "medium", i, encode_seconds=None, psnr_yuv=10**i) for i in range(3)],
        [row("x265", "medium", 0, factor=1e-300), row("_x", "", 1, factor=1e15, encode_seconds=1e-17, width=10**400)],
        [row("paper", "", i, family="published", per_frame={}, command="") for i in range(3)],
        [row("odd", "", i, family="no family", frames=-5, bytes=-(10**17), decode_fps=float("nan")) for i in range(3)],
    ],
)  # fmt: skip
def test_poor_rows_give_a_report_all_the_same(tmp_path, name, rows):
    write_report(rows, tmp_path / name)
    assert (tmp_path / name).stat().st_size > 100


def test_what_cannot_be_reported(tmp_path):
    target = tmp_path / "r.html"
    for rows, options, said in (
        ([], {}, "no points to report"),
        ([row("x265", "medium", 0, error="failed")], {}, "all of them failed"),
        (study(), {"anchor": "x265 medum"}, "did you mean x265 medium"),
        (study(), {"metric": "psnr"}, "no metric 'psnr'"),
        (study(), {"metric": "ssim"}, "no point has ssim; there are: psnr_yuv"),
        ([replace(r, bpp=float("nan")) for r in study()], {}, "no point that has psnr_yuv has a rate: its bpp must be"),
        ([replace(r, bpp=0.0) for r in study()], {"metric": "ssim"}, "no point has ssim; no point has a rate"),
        ([replace(row("a", "", 0), psnr_yuv=None, psnr_rgb=None, vmaf=None)], {}, "nothing was measured"),
    ):
        with pytest.raises(UsageError, match=said):
            write_report(rows, target, **options)
    with pytest.raises(UsageError, match=r"with \.html"):
        write_report(study(), tmp_path / "r.jsonl")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(study(), tmp_path / "no" / "r.md")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_said(tmp_path, monkeypatch):
    for package, name in (("jinja2", "r.html"), ("matplotlib", "r.svg")):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, package, None)
            with pytest.raises(UsageError, match=r"pip install 'nvcodec\[study\]'"):
                write_report(study(), tmp_path / name)


def test_frames_of_the_point_nearest_to_the_anchors_middle():
    made = content(study())
    metric, rows = frame_rows(made.main, "a.mp4", made.anchor)
    assert metric == "psnr_yuv" and [(r.label, r.rate) for r in rows] == [
        ("hnerv 2m", "q2"), ("x265 medium", "q2"), ("x265 veryslow", "q2")]  # fmt: skip
    assert frame_rows(made.main, "not there", made.anchor) == ("psnr_yuv", [])


def test_styles_tell_codecs_by_colour_and_configurations_by_marker():
    found = styles(study(), "x265 medium")
    assert found["hnerv fast"].color == found["hnerv 2m"].color != found["x265 veryslow"].color
    assert found["hnerv fast"].marker != found["hnerv 2m"].marker
    assert len({(s.color, s.marker) for s in found.values()}) == 4


def test_long_clips_are_binned():
    x, y = binned([1.0, None, 3.0])
    assert (x, y) == ([0.0, 2.0], [1.0, 3.0])
    x, y = binned([float(i % 2) for i in range(1300)])
    assert len(x) == 434 and x[0] == 1.0 and 0.3 < y[0] < 0.7 and x[-1] <= 1299


@pytest.mark.parametrize("low", [1e-6, 0.013, 0.97, 3.0, 1234.5])
@pytest.mark.parametrize("span", [1.02, 1.3, 2.0, 9.0, 1e3, 1e9])
def test_ticks_are_few_and_inside(low, span):
    ticks = log_ticks(low, low * span)
    assert len(ticks) <= 7 and ticks == sorted(set(ticks))
    assert all(low <= tick <= low * span for tick in ticks)
    assert len(ticks) >= (2 if span >= 1.3 else 0)


def test_numbers_as_text():
    assert [significant(v) for v in (None, 0, 0.004123, 0.1, 3.149, 127.4, 1e12)] == [
        "-", "0", "0.00412", "0.100", "3.15", "127", "1e+12"]  # fmt: skip
    assert [percent(v) for v in (None, 220.4, -12.34, -0.04, 99.99)] == ["-", "+220 %", "-12.3 %", "+0.0 %", "+100 %"]
    assert whole(1234567) == "1 234 567" and shortened("a" * 50, 11) == "aaaaa…aaaaa"
    assert printable("a\nb\x1b[0m") == "a b?[0m" and len(printable("x" * 10**5)) == 4000
    assert escaped("a_b|<c>*`") == "a\\_b\\|&lt;c&gt;\\*\\`" and code("a`b") == "`` a`b ``"
    assert [bits_text(v) for v in (220, 45, -13.6, 0.01, -3.21)] == [
        "3.2 times the bits of", "45 % more bits than", "14 % fewer bits than", "as many bits as",
        "3.2 % fewer bits than"]  # fmt: skip


@pytest.mark.parametrize(("low", "high"), [(0.78, 1.1), (0.9, 1.02), (0.5, 8.0), (1.2, 12.0), (0.995, 1.006)])
def test_ticks_of_percentages_name_the_anchors_line(low, high):
    ticks = percent_ticks(low, high)
    assert 2 <= len(ticks) <= 8 and all(low <= tick <= high for tick in ticks)
    assert (1.0 in ticks) == (low < 1 < high)
    assert not low < 1 < high or (ticks[0] < 1 < ticks[-1])
