"""The Bunny table on tiny clips: regression beats coding, work is resumed, published figures stand beside their own."""

import argparse
import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import given as given_json
from hypothesis import strategies as st

import eval.bunny as script
from eval.bunny_plan import CROP, PAPER_FITS, QUICK_SECONDS, WHOLE, plan_work, quick_seconds, size_of
from eval.bunny_table import is_whole, markdown, nearest_fits, nearest_points
from eval.compressed import Goal, coded_payload
from eval.pictures import Pictures, load_pictures, numpy_rgb, to_rgb
from eval.published import published_regressions, published_rows
from eval.regression import Fit, Regression
from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import CODECS, get_codec
from nvcodec.errors import InputError, UsageError
from nvcodec.format import VideoFormat
from nvcodec.metrics import psnr_rgb
from nvcodec.study.processes import run_measured
from nvcodec.study.rows import Row


@pytest.fixture
def arrays(crop, tmp_path):
    """Pictures as `eval.on_gpu prepare` writes them: 6 frames of 48x40."""
    y, u, v = (np.stack(planes) for planes in zip(*crop(48, 40, 6), strict=True))
    np.savez(tmp_path / "clip.npz", y=y, u=u, v=v)
    return tmp_path / "clip.npz"


def call(arrays, *options: str) -> int:
    shared = ("--clip", str(arrays), "--frames", "4", "--pictures", "32x32", "--device", "cpu", "--codecs", "hnerv")
    return script.main([*shared, "--out", str(arrays.parent / "out"), *options])


def test_the_middle_of_arrays_is_the_middle_of_the_clip(arrays, crop):
    pictures = load_pictures(str(arrays), 4, (32, 32))
    assert (pictures.size, len(pictures.frames), pictures.from_arrays) == ("32x32", 4, True)
    whole = load_pictures(str(arrays))
    assert np.array_equal(pictures.frames[2][0], whole.frames[2][0][4:36, 8:40])
    assert np.array_equal(pictures.frames[2][1], whole.frames[2][1][2:18, 4:20])
    with pytest.raises(InputError, match="48x40 pictures have no middle of 64x32"):
        load_pictures(str(arrays), 4, (64, 32))


def test_the_crop_of_a_video_is_that_of_a_study(bunny, tmp_path):
    from nvcodec.study.sources import prepare
    from nvcodec.video import Reader

    mine = load_pictures(str(bunny), 1, CROP)
    with Reader(prepare(bunny, tmp_path, 1, CROP).clip, audio=False) as reader:
        theirs = next(iter(reader)).planes
    assert all(np.array_equal(a, b) for a, b in zip(mine.frames[0], theirs, strict=True))


@pytest.mark.parametrize("height", [64, 600])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_rgb_without_swscale_is_nearly_the_same(crop, height, bit_depth):
    a, b = (tuple(np.tile(p, (-(-height // 64), 1)) for p in f) for f in crop(64, 64, 12, bit_depth)[::11])
    rows = height, height // 2, height // 2
    a, b = (tuple(np.ascontiguousarray(p[:n]) for p, n in zip(f, rows, strict=True)) for f in (a, b))
    fmt = VideoFormat(64, height, bit_depth)
    assert psnr_rgb(to_rgb(a, fmt), numpy_rgb(a, fmt)) > 50
    assert psnr_rgb(numpy_rgb(a, fmt), numpy_rgb(b, fmt)) == pytest.approx(
        psnr_rgb(to_rgb(a, fmt), to_rgb(b, fmt)), abs=0.01
    )


@pytest.fixture
def pictures(crop) -> Pictures:
    return Pictures("clip", None, crop(32, 32, 4), VideoFormat(32, 32))


def test_a_regression_counts_epochs_and_measures_its_own_weights(pictures):
    fit = Regression(pictures, Fit("hnerv", 2000, epochs=60, precision="fp32"))
    found = fit.run()
    assert found["epochs"] == 60 and found["steps"] == round(60 * fit.steps_an_epoch())
    assert found["parameters"] <= 2000 and found["rgb"] == "swscale"
    assert found == pytest.approx({**found, **fit.measure()})
    fewer = Regression(pictures, Fit("hnerv", 2000, epochs=6, precision="fp32")).run()
    assert found["psnr_yuv"] > fewer["psnr_yuv"] + 1 and found["psnr_rgb"] > fewer["psnr_rgb"]


def test_tiles_count_as_parts_of_an_epoch(crop, monkeypatch):
    monkeypatch.setattr("eval.regression.samples_a_step", lambda count: 300)
    pictures = Pictures("clip", None, crop(96, 96, 2), VideoFormat(96, 96))
    fit = Regression(pictures, Fit("hnerv", 2000, epochs=1))
    assert fit.steps_an_epoch() > 2 and fit.steps_an_epoch() % 2 == 0
    assert fit.run()["steps"] == fit.steps_an_epoch()


def test_regression_is_better_than_coding_with_the_same_steps(pictures, monkeypatch):
    monkeypatch.setattr("nvcodec.codecs.sizing.FEWEST_STEPS", {"faster": 60})
    monkeypatch.setattr("nvcodec.codecs.sizing.EPOCHS", {"faster": 1})
    coded = coded_payload(pictures, Goal("hnerv", 2000 * 4.8 / (32 * 32 * 4), preset="faster"))
    plain = Regression(pictures, Fit("hnerv", 2000, epochs=60)).run()
    assert coded["steps"] == 60 == plain["steps"] and coded["bytes"] <= 2000 * 4.8 / 8
    assert plain["psnr_yuv"] > coded["psnr_yuv"] + 0.3


def test_work_is_done_once_and_shown_again(arrays, capsys, monkeypatch):
    options = ("--parameters", "0.002", "--epochs", "2", "3", "--bpp", "0.5", "--time-budget", "1s")
    assert call(arrays, *options) == 0
    first = capsys.readouterr().out
    assert first.count("| 32x32 | hnerv | 0.002 M |") == 2 and "(payload)" in first
    monkeypatch.setattr(script.Bench, "make", lambda *_: pytest.fail("was done already"))
    assert call(arrays, *options) == 0
    assert capsys.readouterr().out == first
    assert call(arrays, "--table") == 0
    assert capsys.readouterr().out == first
    assert call(arrays, *options, "--list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["done"] * 3
    rows = [json.loads(line) for line in (arrays.parent / "out" / "compressed.jsonl").read_text().splitlines()]
    row = Row.from_dict(rows[0])
    assert row.label == "hnerv 32x32, 1s" and row.bpp <= 0.5 and row.psnr_rgb and row.commit and row.machine
    assert str(arrays.parent) not in first + row.command


WITHOUT_AV = "import sys; sys.modules.update(av=None, ffmpeg=None); from eval.bunny import main; sys.exit(main())"


def test_arrays_need_no_pyav(arrays):
    options = ("--clip", str(arrays), "--frames", "2", "--pictures", "32x32", "--device", "cpu", "--codecs", "hnerv")
    options += ("--parameters", "0.002", "--epochs", "1", "--bpp", "1", "--time-budget", "1s", "--threads", "1")
    command = (sys.executable, "-c", WITHOUT_AV, *options, "--out", str(arrays.parent / "out"), "--json")
    rows = [json.loads(line) for line in run_measured(command).stdout.splitlines()]
    assert [(row["kind"], row["rgb"]) for row in rows] == [("regression", "numpy"), ("compressed", "numpy")]
    assert all(row["psnr_rgb"] > 5 for row in rows)


@pytest.mark.cuda
def test_a_regression_on_a_gpu_learns_as_on_the_cpu(pictures):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    here, there = (
        Regression(pictures, Fit("hnerv", 2000, epochs=60, device=device, precision="fp32")).run()
        for device in ("cpu", "cuda")
    )
    assert there["psnr_yuv"] == pytest.approx(here["psnr_yuv"], abs=1.5) and there["steps"] == here["steps"]


def test_what_fails_is_one_line_and_the_rest_goes_on(arrays, capsys):
    assert (
        call(arrays, "--only", "regression", "--parameters", "0.002", "--epochs", "1", "--pictures", "64x64", "32x32")
        == 1
    )
    shown = capsys.readouterr()
    assert "have no middle of 64x64" in shown.err and "| 32x32 | hnerv |" in shown.out


def test_real_files(carphone, tmp_path, capsys):
    options = ["--clip", str(carphone), "--frames", "2", "--pictures", "64x64", "--codecs", "hnerv", "--bpp", "1"]
    options += ["--time-budget", "1s", "--device", "cpu", "--only", "compressed", "--threads", "1"]
    assert script.main([*options, "--out", str(tmp_path)]) == 0
    row = json.loads((tmp_path / "compressed.jsonl").read_text())
    assert row["made"] == "file" and 0 < row["bpp"] <= 1 and row["encode_seconds"] > 0
    assert "--bpp 1 " in row["encode_command"] and str(tmp_path) not in row["encode_command"]
    assert "| 64x64 | hnerv | 1s |" in capsys.readouterr().out


def given(**changes) -> argparse.Namespace:
    names = ("only", "parameters", "epochs", "seconds", "bpp", "preset", "budget", "pictures", "precision", "threads")
    blank = {**dict.fromkeys(names), "codecs": ["nerv", "hnerv"], "seed": 0, "device": "cpu", "quick": False}
    return argparse.Namespace(**{**blank, **changes})


def test_the_papers_points():
    work = plan_work(given())
    assert len({w.name for w in work}) == len(work) == 2 * (len(PAPER_FITS) + 3)
    fits = published_regressions("bunny")
    for size, millions, epochs in PAPER_FITS:  # each has something to stand beside
        assert any((f.width, f.height, f.parameters, f.epochs) == (*size, millions * 1e6, epochs) for f in fits)
    assert {w.size for w in plan_work(given(pictures=[CROP], only="regression"))} == {CROP}
    chosen = plan_work(given(parameters=[1.5], epochs=[300, 600], pictures=[WHOLE], codecs=["nerv"], only="regression"))
    assert [(w.size, w.what.parameters, w.what.epochs) for w in chosen] == [(WHOLE, 1_500_000, n) for n in (300, 600)]


def test_a_quick_run_is_bounded():
    work = plan_work(given(quick=True))
    times = [w.what.seconds for w in work]
    assert len(work) == 6 and len(set(times)) == 1 and sum(times) < 2 * QUICK_SECONDS < 600
    assert [w.what.seconds for w in plan_work(given(quick=True, codecs=["enerv"]))] == times[:3]  # as one of many
    assert quick_seconds(8, 4) < quick_seconds(4, 2) and quick_seconds(1000, 1000) > 0


def test_codecs_and_sizes_are_checked(capsys, tmp_path):
    fitted = [name for name in CODECS if isinstance(get_codec(name), FittedCodec)]
    assert {"hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost", "pfnr"} < set(fitted)
    assert script.chosen_codecs(None) == fitted and script.chosen_codecs(["hnerv", "hnerv"]) == ["hnerv"]
    assert script.chosen_codecs(None, quick=True) == ["nerv", "hnerv"]
    assert script.chosen_codecs(["all"], quick=True) == fitted
    for options in (["--codecs", "nothing"], ["--codecs", "auto"], ["--bpp", "0"], ["--frames", "0"],
                    ["--time-budget", "long"], ["--epochs", "3", "--seconds", "4"]):  # fmt: skip
        assert script.main([*options, "--out", str(tmp_path)]) == UsageError.exit_code
        assert capsys.readouterr().err.count("\n") == 1
    assert size_of("1280x640") == CROP
    with pytest.raises(argparse.ArgumentTypeError):
        size_of("1280")


FIT = {"size": "1280x640", "codec": "hnerv", "parameters": 733_610, "wanted_parameters": 750_000, "epochs": 300.0,
       "psnr_rgb": 33.0, "psnr_yuv": 36.5, "fit_seconds": 600, "commit": "c",
       "machine": "m", "command": "a"}  # fmt: skip
CODED = {"size": "1280x720", "codec": "hnerv", "effort": "slow", "bpp": 0.0497, "wanted_bpp": 0.05, "psnr_rgb": 33.5,
         "psnr_yuv": 37.5, "ms_ssim": 0.95, "encode_seconds": 90, "decode_fps": 20.0, "made": "file", "commit": "c",
         "machine": "m", "command": "b"}  # fmt: skip


def test_published_figures_stand_beside_their_own_setting():
    fits, points = published_regressions("bunny"), published_rows("bunny")
    assert nearest_fits(FIT, fits) == "300 epochs: NeRV 28.46 r, E-NeRV 30.95 r, HNeRV 32.81 r"
    assert nearest_fits({**FIT, "epochs": 2000.0}, fits).startswith("1800 epochs: NeRV 29.73 r")
    assert nearest_fits({**FIT, "epochs": 0.2}, fits).startswith("300 epochs")
    assert nearest_fits({**FIT, "size": "1280x720"}, fits) == "-"
    assert nearest_fits({**FIT, "wanted_parameters": 800_000}, fits) == "-"
    assert "HNeRV 33.65 at 0.0504 d" in nearest_points(CODED, points)
    assert nearest_points({**CODED, "size": "1280x640"}, points) == "-"
    assert nearest_points({**CODED, "wanted_bpp": 0.5}, points) == "-"


json_values = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(0, 9) | st.text(max_size=3) | st.just([])


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given_json(st.sampled_from([FIT, CODED]), st.dictionaries(st.sampled_from([*FIT, *CODED, "kind"]), json_values))
def test_a_row_that_is_whole_can_be_shown(row, changes):
    kind = "compressed" if "bpp" in row else "regression"
    changed = {"kind": kind, **row, **changes}
    if is_whole(changed):
        of_kind = [[changed], []] if changed["kind"] == "regression" else [[], [changed]]
        assert changed["commit"] in markdown(*of_kind, published_regressions("bunny"), published_rows("bunny"))
    assert is_whole({"kind": kind, **row}) and not is_whole({})


def test_the_printed_table():
    fits, points = published_regressions("bunny"), published_rows("bunny")
    text = markdown([FIT], [CODED], fits, points)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables[2].startswith("| 1280x640 | hnerv | 0.734 M | 300 | 33.00 | 36.50 | 10.0 | 300 epochs: NeRV")
    assert tables[5].startswith("| 1280x720 | hnerv | slow | 0.0497 | 33.50 | 37.50 | 0.9500 | 1.5 | 20.0 | NeRV")
    assert len({line.count("|") for line in tables[:3]}) == 1 == len({line.count("|") for line in tables[3:]})
    assert text.endswith("Commit: c.\nMachine: m.") and "- `a`\n- `b`" in text
    assert "NOT THE PAPERS' SETTING" not in text
    assert markdown([{**FIT, "quick": True}], [], fits, points).startswith("**NOT THE PAPERS' SETTING.**")
    assert "Compressed" not in markdown([FIT], [], fits, points)
