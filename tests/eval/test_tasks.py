"""Interpolation and inpainting: what is unseen is never looked at, rows are kept, published ones stand below."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval import tasks
from eval.pictures import Pictures
from eval.task_runs import Coding, blend, boxes, diffused, inpainting, interpolation, masks, pooled_psnr
from eval.task_table import markdown
from nvcodec.codecs.registry import get_codec
from nvcodec.errors import InputError, UsageError
from nvcodec.format import VideoFormat
from nvcodec.video import Picture, Writer

FORMAT = VideoFormat(64, 48)
CODING = Coding(1.0, "faster")


@pytest.fixture(scope="module")
def pictures(crop) -> Pictures:
    return Pictures("crop", Path("crop.y4m"), crop(64, 48, 5), FORMAT)


@pytest.fixture(scope="module")
def clip(pictures, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "tiny.y4m"
    with Writer(path, FORMAT) as writer:
        for number, planes in enumerate(pictures.frames):
            writer.write(Picture(*planes, pts=number))
    return path


def hidden(pictures: Pictures, chosen) -> Pictures:
    """The same with other pictures where they must not be seen."""
    frames = [tuple(255 - p for p in planes) if chosen(i) else planes for i, planes in enumerate(pictures.frames)]
    return Pictures(pictures.name, pictures.path, frames, pictures.format)


def test_frames_between_are_not_looked_at(pictures):
    row = interpolation(get_codec("hnerv"), pictures, CODING)
    assert 0 < row["bytes"] <= 3 * 64 * 48 / 8 and row["psnr_seen"] > 20 and row["psnr_unseen"] > 15
    other = interpolation(get_codec("hnerv"), hidden(pictures, lambda i: i % 2), CODING)
    assert (other["bytes"], other["psnr_seen"]) == (row["bytes"], row["psnr_seen"])
    assert other["psnr_unseen"] < row["psnr_unseen"]
    with pytest.raises(InputError, match="three frames"):
        interpolation(get_codec("hnerv"), Pictures("crop", Path("a"), pictures.frames[:2], FORMAT), CODING)


@pytest.mark.parametrize("moving", [True, False])
def test_boxes_are_not_looked_at(pictures, moving):
    row = inpainting(get_codec("hnerv"), pictures, CODING, moving)
    assert 0 < row["unknown_share"] < 0.2 and row["psnr_seen"] > 20
    known = boxes(5, 48, 64, moving, CODING.seed)
    frames = []
    for planes, part in zip(pictures.frames, known, strict=True):
        frames.append(tuple(np.where(m, p, 255 - p) for p, m in zip(planes, masks(part, planes), strict=True)))
    other = inpainting(get_codec("hnerv"), Pictures("crop", Path("a"), frames, FORMAT), CODING, moving)
    assert (other["bytes"], other["psnr_seen"]) == (row["bytes"], row["psnr_seen"])
    assert other["psnr_unseen"] < row["psnr_unseen"]


def test_boxes_stay_or_move():
    still, moving = boxes(3, 144, 175, False, 1), boxes(3, 144, 175, True, 1)
    assert still.shape == moving.shape == (3, 72, 88)
    assert (still == still[0]).all() and (moving[0] != moving[1]).any()
    assert 36 <= (~still[0]).sum() <= 5 * 36
    assert boxes(1, 2, 2, True, 0).shape == (1, 1, 1)


def test_diffusion_takes_what_is_around(pictures):
    planes = pictures.frames[0]
    known = np.ones((24, 32), bool)
    known[4:9, 6:12] = False
    luma, *_ = masks(known, planes)
    assert luma.shape == (48, 64) and (~luma).sum() == 4 * 30
    filled = diffused(planes, known)
    for plane, other, part in zip(planes, filled, masks(known, planes), strict=True):
        assert (plane[part] == other[part]).all() and other.dtype == plane.dtype
        around = np.pad(~part, 1)[1:-1, 1:-1]
        assert plane.min() <= other[around].min() and other[around].max() <= plane.max()
    ramp = np.add.outer(3 * np.arange(24), 2 * np.arange(32)).astype(np.uint8)
    got = diffused((ramp.repeat(2, 0).repeat(2, 1), ramp, ramp), known)[1]
    assert np.abs(got.astype(int) - ramp).max() <= 1  # heat goes straight
    assert (diffused(planes, np.zeros((24, 32), bool))[0] == 0).all()  # nothing is known of anything


def test_measures(pictures):
    a, b = pictures.frames[0], tuple(p ^ 4 for p in pictures.frames[0])
    some = np.zeros((1, 24, 32), bool)
    some[0, :3] = True
    for where in (some, ~some):
        assert pooled_psnr([a], [b], where, FORMAT) == pytest.approx(10 * np.log10(255**2 / 16))
    mixed = [tuple(np.where(m, x, y) for x, y, m in zip(a, b, masks(some[0], a), strict=True))]
    assert pooled_psnr([a], mixed, some, FORMAT) == 100
    assert all(p.dtype == np.uint8 for p in blend(a, b))
    assert blend((np.array([254, 1], np.uint8),) * 3, (np.array([255, 2], np.uint8),) * 3)[0].tolist() == [255, 2]


def test_rows_are_kept_and_shown(clip, tmp_path, capsys):
    out = tmp_path / "deep" / "rows.jsonl"
    options = ["--clips", str(clip), "--codecs", "nirvana", "--frames", "5", "--bpp", "1", "--preset", "faster"]
    assert tasks.main([*options, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("`nirvana`") == 3 and "HNeRV 29.85" in printed and "inside" in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["task"], row["boxes"]) for row in rows] == [
        ("interpolation", ""), ("inpainting", "moving"), ("inpainting", "still")
    ]  # fmt: skip
    before = out.read_bytes()
    assert tasks.main([*options, "--out", str(out)]) == 0 and out.read_bytes() == before
    capsys.readouterr()
    assert tasks.main(["--table", str(out)]) == 0
    assert capsys.readouterr().out == printed
    assert markdown([{"task": "interpolation"}]) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sharpening"], "no task 'sharpening'; there are: interpolation, inpainting"),
        (["--codecs", "pfnr"], "pfnr shares its network"),
        (["--codecs", "stem"], "stem"),
        (["--frames", "2"], "3 or more"),
        (["--bpp", "0"], "above 0"),
        (["--clips", "nowhere.mp4"], "nowhere.mp4"),
        (["--table", "nowhere.jsonl"], "no such file"),
    ],
)
def test_bad_options_are_one_line(words, said, tmp_path, capsys):
    assert tasks.main([*words, "--out", str(tmp_path / "rows.jsonl")]) in (UsageError.exit_code, InputError.exit_code)
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1
    assert not (tmp_path / "rows.jsonl").exists()


def test_all_fitted_codecs_but_those_of_libraries():
    assert "pfnr" not in tasks.task_codecs() and {"nerv", "nirvana", "enerv", "hnerv-boost"} < set(tasks.task_codecs())
