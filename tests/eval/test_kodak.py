"""The Kodak benchmark on small pieces of real frames: real files, means over images, BD-rates, what resumes."""

import io
import json
import math

import numpy as np
import pytest

pytest.importorskip("imageio_ffmpeg")
pytest.importorskip("ffmpeg")
pytest.importorskip("PIL")

from PIL import Image as Pillow

import eval.kodak as kodak
from eval.kodak_codecs import Jpeg, load_image
from eval.kodak_table import WHOLE_FILE, as_markdown, mean_rows
from eval.published import published_rows
from nvcodec.errors import InputError, UsageError
from nvcodec.study.deltas import bd_table
from nvcodec.video import Reader


@pytest.fixture(scope="module")
def images(bunny, tmp_path_factory):
    """Three PNG files, one of them upright."""
    folder = tmp_path_factory.mktemp("kodak")
    with Reader(bunny, audio=False, limit=3) as reader:
        lumas = [picture.planes[0] for picture in reader]
    for number, luma in enumerate(lumas, 1):
        piece = luma[200:264, 400:496] if number < 3 else luma[200:296, 400:464]
        rgb = np.stack([piece, piece[::-1], np.roll(piece, 7, 1)], -1)
        Pillow.fromarray(np.ascontiguousarray(rgb)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def ran(images, tiny_weights, tmp_path_factory):
    """(call, folder of results, rows) of a run over the first two images."""
    out = tmp_path_factory.mktemp("out")
    call = [str(images), "--codecs", f"intra:{tiny_weights}", "--anchors", "x264:ultrafast", "--images", "2"]
    call += ["--qualities", "10,36,60", "--crfs", "20,30,40", "--out", str(out)]
    assert kodak.main(call) == 0
    return call, out, [json.loads(line) for line in (out / "kodak.jsonl").read_text().splitlines()]


def test_every_point_is_a_row_of_a_real_file(ran):
    _, _, rows = ran
    assert len(rows) == len({row["key"] for row in rows}) == 2 * (3 + 3 + 2 * 19)
    for row in rows:
        assert row["bpp"] == 8 * row["bytes"] / (96 * 64) and 8 < row["psnr_rgb"] < 60
        assert row["payload_bytes"] <= row["bytes"] and row["pixels"] and row["commit"] and row["machine"]
        assert (row["payload_bytes"] < row["bytes"]) == (row["codec"] == "intra")
    ours = [row for row in rows if row["codec"] == "intra"]
    assert all(row["family"] == "trained" and "--model tiny.safetensors" in row["command"] for row in ours)
    assert "4:2:0" in ours[0]["pixels"] and ours[0]["psnr_yuv"] > 20


def test_jpeg_is_what_pillow_writes(images, ran):
    image = load_image(images / "01.png")
    assert np.array_equal(image.rgb, np.array(Pillow.open(image.path)))
    for sampling, name in (("4:2:0", "2"), ("4:4:4", "0")):
        out = io.BytesIO()
        Pillow.open(image.path).save(out, "JPEG", quality=50, subsampling=int(name))
        coded = Jpeg(sampling).code(image, 50, images)
        assert coded.bytes == len(out.getvalue())
        error = np.mean((np.array(Pillow.open(out)).astype(float) - image.rgb) ** 2)
        row = next(r for r in ran[2] if r["clip"] == "01.png" and r["configuration"] == sampling and r["rate"] == "q50")
        assert row["psnr_rgb"] == pytest.approx(10 * math.log10(255**2 / error), abs=1e-9)


def test_curves_are_means_over_all_images(ran):
    rows = ran[2]
    means = mean_rows(rows, 2)
    assert len(means) == 3 + 3 + 2 * 19 + 3
    both = [row for row in rows if row["codec"] == "intra" and row["rate"] == "q36"]
    payload, whole = (row for row in means if row.codec == "intra" and row.rate == "q36")
    assert payload.bpp == pytest.approx(sum(8 * row["payload_bytes"] for row in both) / (2 * 96 * 64))
    assert whole.bpp == pytest.approx(sum(row["bpp"] for row in both) / 2) and WHOLE_FILE in whole.label
    assert payload.psnr_rgb == whole.psnr_rgb == pytest.approx(sum(row["psnr_rgb"] for row in both) / 2)
    assert not [row for row in mean_rows(rows[1:], 2) if (row.label, row.rate) == (payload.label, rows[0]["rate"])]


def test_the_table_says_rates_and_deltas(ran):
    text = (ran[1] / "kodak.md").read_text()
    for words in (
        "| intra tiny |",
        f"| intra tiny, {WHOLE_FILE} |",
        "BD-rate to JPEG 4:2:0",
        "BD-rate to x264 ultrafast",
    ):
        assert words in text
    assert "(published)" not in text and "left out" in text
    assert text == as_markdown(ran[2], 2)


def test_a_second_call_makes_only_what_is_missing(ran, monkeypatch, capsys):
    call, out, rows = ran
    monkeypatch.setattr(kodak, "row", lambda *_: pytest.fail("made again"))
    assert kodak.main(call) == 0
    assert capsys.readouterr().out == (out / "kodak.md").read_text()
    monkeypatch.undo()
    assert kodak.main([*call, "--images", "3", "--codecs", "none", "--crfs", "20"]) == 0
    lines = (out / "kodak.jsonl").read_text().splitlines()
    assert len(lines) == len(rows) + 1 + 2 * 19
    assert json.loads(lines[-1])["width"] == 64


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--images", "0"], UsageError),
        (["--qualities", "7.5"], UsageError),
        (["--crfs", "99"], UsageError),
        (["--codecs", "divx"], UsageError),
        (["--codecs", "intra:none.safetensors"], InputError),
    ],
)
def test_what_cannot_run_is_one_line(images, tiny_weights, tmp_path, more, error, capsys):
    call = [str(images), "--codecs", f"intra:{tiny_weights}", "--anchors", "x264", "--out", str(tmp_path)]
    assert kodak.main([*call, *more]) == error.exit_code
    assert capsys.readouterr().err.count("\n") == 1
    assert kodak.main([str(tmp_path), "--codecs", "none"]) == InputError.exit_code


def test_a_video_is_no_image(bunny, images, tmp_path):
    with pytest.raises(InputError, match="not one RGB image"):
        load_image(bunny)


def test_published_curves_stand_where_their_sources_say():
    """BD-rates to VTM that the literature gives, by other interpolations and other versions of VTM."""
    table = bd_table(published_rows("kodak"), "VTM 4:4:4, CompressAI", "psnr_rgb", "pchip")
    for label, value in (("MLIC++", -13.4), ("LIC-TCM large", -10.1), ("ELIC as its authors report", -6.0)):
        assert table.average(label).rate.pchip == pytest.approx(value, abs=2.5)
