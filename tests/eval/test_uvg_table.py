"""UVG's tables: averages over sequences, deltas, published figures beside, in markdown and LaTeX."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eval.published import AVERAGE
from eval.uvg_data import SEQUENCES
from eval.uvg_deltas import delta_table
from eval.uvg_options import Options, check_anchor, parse
from eval.uvg_report import (
    Outcome,
    as_json_lines,
    as_latex,
    as_markdown,
    conditions,
    mean_rows,
    published,
    sequence_rows,
    tables,
    write,
)
from eval.uvg_table import averages, by_sequence, complete, latex, markdown, sequence_table, tex
from nvcodec.errors import UsageError
from nvcodec.study.rows import Row
from nvcodec.study.settings import StudySettings


def point(sequence: str, codec: str, step: int, bpp: float) -> Row:
    """One of the points of a curve on which each doubling of the rate is worth 3 dB."""
    place = SEQUENCES.index(sequence)
    return Row(
        clip=f"{sequence}_1920x1080_120fps_420_8bit_YUV.yuv",
        codec=codec,
        configuration="medium",
        rate=f"q{step}",
        bpp=bpp * 2**step,
        family="classical" if codec == "x265" else "fitted",
        frames=300 if sequence == "ShakeNDry" else 600,
        psnr_rgb=30.0 + 3 * step + place,
        psnr_yuv=32.0 + 3 * step + place,
        ms_ssim=0.9 + 0.01 * step,
        ms_ssim_db=10.0 + step,
        encode_seconds=60.0 * (place + 1),
        decode_fps=10.0 * (place + 1),
        command=f"{codec} 50% <in>",
        encoder=codec,
        jobs=1,
        groups=[] if codec == "x265" else [{"first_frame": 0, "frames": 40, "bits": 8}],
    )


def study(sequences=SEQUENCES) -> list[Row]:
    """Two codecs at four rates, ours at 20 % fewer bits."""
    curves = (("x265", 0.01), ("hnerv", 0.008))
    return [point(name, codec, step, bpp) for name in sequences for codec, bpp in curves for step in range(4)]


def options(**changes) -> Options:
    settings = {"folder": Path(), "out": Path(), "setting": "1080p", "sequences": SEQUENCES, "study": StudySettings()}
    return Options(**{**settings, **changes})


def test_each_sequence_is_measured_alone_and_weighs_the_same():
    first = averages(by_sequence(study()))[0]
    assert first.sequences == SEQUENCES
    row = first.row
    assert (row.clip, row.label, row.rate) == (AVERAGE, "x265 medium", "q0")
    assert row.bpp == pytest.approx(0.01)
    assert row.psnr_rgb == pytest.approx(33.0)
    assert row.encode_seconds == pytest.approx(240.0)
    assert row.decode_fps == pytest.approx(40.0)
    assert row.ms_ssim_db == pytest.approx(10.0)
    assert row.encode_seconds / row.frames == pytest.approx(60 * 28 / 3900, rel=1e-3)


def test_a_measure_that_one_sequence_lacks_has_no_average():
    rows = by_sequence(study())
    rows[0] = replace(rows[0], ms_ssim=None)
    row = averages(rows)[0].row
    assert (row.ms_ssim, row.ms_ssim_db) == (None, None)
    assert row.psnr_rgb is not None


def test_an_average_says_over_how_many_sequences_and_only_the_widest_make_curves():
    rows = [row for row in study() if not (row.clip.startswith("Jockey") and row.rate == "q1" and row.codec == "hnerv")]
    text = as_markdown(Outcome(rows, options()))
    assert "| hnerv medium | q0 | 7 of 7 | 0.0080 | 33.00 | 35.00 | 0.9000 | 4.00 | 40.0 |" in text
    assert "| hnerv medium | q1 | 6 of 7 | 0.0160 | 36.00 |" in text
    assert {row.rate for row in complete(averages(by_sequence(rows))) if row.codec == "hnerv"} == {"q0", "q2", "q3"}


def test_failed_points_are_named_and_are_no_numbers():
    rows = study()
    rows[0] = replace(rows[0], error="NvcodecError: it\nbroke")
    text = as_markdown(Outcome(rows, options(), ["ShakeNDry: missing"], ["Jockey.mp4 is h264"]))
    assert "- Beauty_1920x1080_120fps_420_8bit_YUV.yuv x265 medium q0: NvcodecError: it broke" in text
    assert "| x265 medium | q0 | 6 of 7 |" in text
    assert "- ShakeNDry: missing" in text
    assert "- Jockey.mp4 is h264" in text


def test_deltas_of_each_sequence_their_mean_and_the_averaged_curves():
    table = delta_table(by_sequence(study()), "x265 medium", "psnr_rgb")
    assert table.header == ("codec", *SEQUENCES, "mean", "of averaged curves")
    assert table.body == (("hnerv medium", *["-20.0"] * 9),)


def test_a_sequence_without_a_delta_is_left_out_of_the_mean_and_says_why():
    rows = [row for row in study() if not (row.clip.startswith("Jockey") and row.codec == "hnerv" and row.rate != "q0")]
    line = delta_table(by_sequence(rows), "x265 medium", "psnr_rgb").body[0]
    assert line[4] == "-"
    assert line[8] == "-20.0 (6 of 7)"
    assert "no BD-rate of hnerv medium on Jockey: " in as_markdown(Outcome(rows, options()))


def test_published_figures_are_of_the_same_pictures():
    full, crop = published(options()), published(options(setting="960x1920"))
    assert {(row.width, row.height, row.clip) for row in full} == {(1920, 1080, AVERAGE)}
    assert {(row.width, row.height, row.codec) for row in crop} == {(1920, 960, "HNeRV")}
    assert {"HiNeRV", "C3", "VTM 17.0"} <= {row.codec for row in full}
    assert published(options(published=("none",))) == []
    assert published(options(any_shape=True)) == []
    assert len(published(options(published=("all",)))) > len(full)


def test_published_figures_stand_apart_with_conditions_and_sources():
    text = as_markdown(Outcome(study(), options()))
    block = text[text.index("## Published figures") : text.index("## Conventions")]
    assert "| HiNeRV | 1920x1080, released code | 0.0150 | 34.80 | - | 0.9559 |" in block
    assert "of MSE" in block
    assert "hmkx/HiNeRV" in block
    fewer = as_markdown(Outcome(study(), options(study=StudySettings(frames=96))))
    assert "published figures are of all frames, ours of the first 96: not comparable" in fewer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Frames: all (ShakeNDry has 300, the others 600). Pictures: whole."),
        ({"study": StudySettings(frames=96, crop=(1920, 960))}, "Frames: the first 96. Pictures: the middle 1920x960"),
        ({"study": StudySettings(keyint=32)}, "Intra period: anchors at most 32 frames"),
        ({}, "our codecs start anew with each group of frames (hnerv medium every 40 frames at most)"),
        ({"any_shape": True}, "this is not the UVG benchmark"),
        ({}, "bpp: 8 x bytes of the file on disk"),
        ({}, "YUV is (6Y + U + V) / 8"),
        ({}, "- hnerv medium: `hnerv 50% <in>`"),
    ],
)
def test_conventions_stand_under_the_tables(changes, said):
    assert said in as_markdown(Outcome(study(), options(**changes)))


def test_times_of_points_at_once_are_not_for_citing():
    rows = [replace(row, jobs=2) for row in study()]
    assert "times are not for citing" in as_markdown(Outcome(rows, options()))
    assert "times are not for citing" not in as_markdown(Outcome(study(), options()))


def test_reports_keep_averages_apart_from_sequences():
    outcome = Outcome(study(), options())
    assert {row.clip for row in sequence_rows(outcome)} == set(SEQUENCES)
    assert {row.family for row in sequence_rows(outcome)} == {"classical", "fitted", "published"}
    assert {row.clip for row in mean_rows(outcome)} == {AVERAGE}


def test_published_curves_share_axes_with_all_frames_of_all_sequences_only():
    def families(rows):
        return {row.family for row in rows} - {"classical", "fitted"}

    whole, few = Outcome(study(), options()), Outcome(study(), options(study=StudySettings(frames=96)))
    assert families(sequence_rows(whole)) == families(mean_rows(whole)) == {"published"}
    assert families(sequence_rows(few)) == families(mean_rows(few)) == set()
    some = Outcome(study(("Beauty", "Jockey")), options())
    assert families(mean_rows(some)) == set() and families(sequence_rows(some)) == {"published"}


def test_pages_say_that_conditions_differ(tmp_path):
    whole, few = (Outcome(study(), options(study=StudySettings(frames=frames))) for frames in (None, 96))
    said = conditions(whole, mean_rows(whole))
    assert said[0] == "Published figures are of other conditions than ours, those of their sources:"
    assert any("hmkx/HiNeRV" in line for line in said) and any(line.startswith("BD-rate: a star") for line in said)
    said = conditions(few, mean_rows(few))
    assert "left out of plots and BD-rates: they are of all frames" in said[0] and said[1].startswith("Frames: the fir")
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    write(Outcome(study(("Beauty",)), options(out=tmp_path, study=StudySettings(frames=96))))
    text = (tmp_path / "uvg-1080p-96.html").read_text()
    assert said[0] in text and "<li>Frames: the first 96." in text and "HiNeRV, released" not in text


def test_rows_as_lines_of_json():
    rows = [replace(study()[0], per_frame={"psnr_y": [30.0]}), replace(study()[1], error="no")]
    lines = [json.loads(line) for line in as_json_lines(Outcome(rows, options(json=True))).splitlines()]
    assert [Row.from_dict(line) for line in lines] == [replace(row, per_frame={}) for row in rows]
    assert "per_frame" not in lines[0] and as_json_lines(Outcome([], options())) == ""


def test_nothing_succeeded():
    rows = [replace(row, error="no") for row in study()]
    text = as_markdown(Outcome(rows, options()))
    assert "0 of 7 sequences" in text
    assert sequence_rows(Outcome(rows, options())) == mean_rows(Outcome(rows, options())) == []


def test_markdown_has_one_width_and_takes_any_text():
    table = sequence_table([replace(by_sequence(study())[0], codec="a|b\nc")])
    lines = markdown(table).splitlines()
    assert len(lines) == 3
    assert "a\\|b c medium" in lines[2]


def test_latex_is_booktabs_with_a_line_a_row():
    outcome = Outcome(study(), options())
    text = as_latex(outcome)
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == len(tables(outcome))
    assert r"hnerv medium & q0 & 7 of 7 & 0.0080 & 33.00 & 35.00 & 0.9000 & 4.00 & 40.0 \\" in text
    assert "% Conventions" in text
    for table in tables(outcome):
        body = [line for line in latex(table).splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") for line in body} == {len(table.header) - 1}


def test_latex_escapes():
    assert tex(r"a_b 50% $x & #1 {y} ~ ^ \ <z>") == (
        r"a\_b 50\% \$x \& \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{} \textless{}z\textgreater{}"
    )


def test_the_command_line_reaches_the_study():
    given = ["in", "--frames", "96", "--setting", "960x1920", "--codecs", "hnerv:fast,nerv", "--anchors", "x265,svtav1"]
    made = parse([*given, "--points", "3", "--time-budget", "2m", "--jobs", "2", "--sequences", "jockey,Beauty"], "")
    assert made.study == StudySettings(
        codecs=("hnerv:fast", "nerv"), anchors=("x265", "svtav1"), points=3, time_budget=120.0, jobs=2, frames=96,
        crop=(1920, 960),
    )  # fmt: skip
    assert made.sequences == ("Beauty", "Jockey")
    assert (made.name, made.shape) == ("uvg-960x1920-96", (1920, 960))
    assert parse(["in", "--any-shape"], "").name == "uvg-1080p-all-any-shape"


@pytest.mark.parametrize("bad", [["--frames", "some"], ["--sequences", "CityAlley"], ["--time-budget", "soon"], []])
def test_a_command_line_that_is_none(bad, capsys):
    with pytest.raises(SystemExit):
        parse(["in", *bad] if bad else [], "")
    assert "Traceback" not in capsys.readouterr().err


def test_what_cannot_be_is_said_before_anything_runs():
    with pytest.raises(UsageError, match="exclude one another"):
        parse(["in", "--preset", "fast", "--time-budget", "2m"], "")
    with pytest.raises(UsageError, match="no metric"):
        parse(["in", "--metric", "lpips"], "")
    with pytest.raises(UsageError, match="there are: x265 medium"):
        check_anchor("x264 medium", ["x265 medium"])
