"""The speed benchmark on a few small frames: what it says, what it checks; no time is asserted."""

import json
import sys

import numpy as np
import pytest
import torch

import eval.codec_speed as speed
from eval import codec_speed_conditional as conditional
from eval import codec_speed_stages as stages
from eval import compressai_ssf
from eval.pictures import Pictures, load_pictures
from eval.resize import resized
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.format import VideoFormat


@pytest.fixture
def call(carphone, tiny_weights):
    """A call that takes a second, without CompressAI."""
    made = [str(carphone), "--size", "96x80", "--frames", "3", "--runs", "2", "--threads", "1"]
    return [*made, "--model", str(tiny_weights), "--ssf-frames", "0"]


def told(text):
    """(table, line) of what was printed."""
    table, _, line = text.strip().rpartition("\n")
    return table, json.loads(line)


def test_a_table_and_a_line_say_all(call, capsys, tmp_path):
    out = tmp_path / "speed.jsonl"
    assert speed.main([*call, "--out", str(out)]) == 0
    table, line = told(capsys.readouterr().out)
    assert json.loads(out.read_text()) == line
    assert (line["size"], line["from"], line["frames"], line["model"]) == ("96x80", "176x144", 3, "tiny")
    assert line["kmacs_per_pixel"]["prior"] > 0 and line["commit"] and line["machine"] and line["cpu_capability"]
    found = line["stem"]["stages"]
    assert all(len(stage["seconds"]) == 2 for stage in found.values())
    for whole, parts in (
        ("encode", (stages.ANALYSIS, stages.TO_BYTES)),
        ("decode", (stages.FROM_BYTES, stages.SYNTHESIS)),
    ):
        for run in range(2):
            assert found[whole]["seconds"][run] == pytest.approx(sum(found[p]["seconds"][run] for p in parts), abs=1e-5)
    for what in found:
        assert f"| {what} |" in table
    assert stages.GROUP_ENCODE in found and stages.GROUP_DECODE in found and line["stem"]["bpp"] > 0
    assert line["ssf2020"] is None and "not asked for" in table


def test_the_conditional_codec_in_its_stages(call, capsys, tiny_conditional):
    cut = call.index("--model")
    given = [*call[:cut], "--codec", "conditional", "--model", str(tiny_conditional), *call[cut + 2 :]]
    assert speed.main(given) == 0
    table, line = told(capsys.readouterr().out)
    found = line["conditional"]["stages"]
    for whole, parts in (("encode", conditional.ENCODED), ("decode", conditional.DECODED)):
        for run in range(2):
            assert found[whole]["seconds"][run] == pytest.approx(sum(found[p]["seconds"][run] for p in parts), abs=1e-4)
    assert stages.GROUP_ENCODE in found and stages.GROUP_DECODE in found and line["conditional"]["bpp"] > 0
    assert line["codec"] == "conditional" and "stem" not in line and all(f"| {what} |" in table for what in found)


def test_compressai_runs_beside(call, capsys):
    if (why := compressai_ssf.load_ssf()[1]) == "compressai is not installed":
        pytest.skip(why)
    assert speed.main([*call[:-1], "2", "--runs", "1"]) == 0
    table, line = told(capsys.readouterr().out)
    assert line["ssf2020"]["frames"] == 2 and line["ssf2020"]["bpp"] > 0
    assert all(line["ssf2020"]["stages"][what]["fps"] > 0 for what in ("encode", "decode"))
    assert table.count("| ssf2020, ") == 2


def test_frames_are_padded_for_compressai(crop):
    rgb = np.random.default_rng(0).integers(0, 256, (130, 60, 3), np.uint8)
    (x,) = compressai_ssf.as_tensors([rgb])
    assert x.shape == (1, 3, 256, 128)
    assert np.array_equal((x[0, :, :130, :60] * 255).round().byte().permute(1, 2, 0).numpy(), rgb)
    assert torch.equal(x[0, :, 200, 100], x[0, :, 129, 59])


def test_an_absent_compressai_is_told_of(call, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "compressai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(compressai_ssf.importlib.util, "find_spec", lambda name: None)
    assert speed.main([*call[:-2], "--runs", "1"]) == 0
    table, line = told(capsys.readouterr().out)
    assert line["ssf2020"] is None and "compressai is not installed" in table


def test_avx2_is_another_process(call, capfd):
    assert speed.main([*call, "--runs", "1", "--frames", "2", "--avx2"]) == 0
    _, line = told(capfd.readouterr().out)
    assert line["cpu_capability"] in ("AVX2", "DEFAULT") and line["onednn"] == "AVX2"


def test_an_untrained_size_needs_no_weights(call, capsys):
    cut = call.index("--model")
    given = [*call[:cut], *call[cut + 2 :], "--untrained", "s", "--precision", "bf16", "--runs", "1"]
    assert speed.main(given) == 0
    _, line = told(capsys.readouterr().out)
    assert (line["model"], line["trained"], line["precision"]) == ("s", False, "bf16")


def test_a_decoder_that_errs_is_no_fast_one(call, monkeypatch, capsys):
    right = stages.decode_unit

    def wrong(*arguments):
        found = right(*arguments)
        return found._replace(y_hat=found.y_hat + 1)

    monkeypatch.setattr(stages, "decode_unit", wrong)
    assert speed.main([*call, "--frames", "1"]) == NvcodecError.exit_code
    assert "other latents" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--frames", "0"], UsageError),
        (["--runs", "0"], UsageError),
        (["--quality", "64"], UsageError),
        (["--untrained", "s"], UsageError),
        (["--size", "33x32"], UsageError),
        (["--model", "none.safetensors"], InputError),
    ],
)
def test_what_cannot_run_is_one_line(call, more, error, capsys):
    assert speed.main([*call, *more]) == error.exit_code
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("width", "height"), [(88, 72), (58, 48), (50, 30), (176, 144), (300, 200), (640, 360)])
def test_a_clip_is_brought_to_a_size(carphone, width, height):
    clip = load_pictures(str(carphone), 2)
    made = resized(clip, width, height)
    assert made.size == f"{width}x{height}" and len(made.frames) == 2
    for planes in made.frames:
        assert [plane.shape for plane in planes] == [(height, width), *[(height // 2, width // 2)] * 2]
        assert all(plane.dtype == np.uint8 for plane in planes)
    if (width, height) == (88, 72):
        blocks = clip.frames[0][0].reshape(72, 2, 88, 2).astype(float).mean((1, 3))
        assert np.abs(made.frames[0][0] - blocks).max() <= 0.5
    if (width, height) == (176, 144):
        assert all(np.array_equal(a, b) for a, b in zip(made.frames[0], clip.frames[0], strict=True))


def test_flat_pictures_stay_flat(tmp_path):
    planes = tuple(
        np.full(shape, level, np.uint16) for shape, level in (((30, 50), 1000), ((15, 25), 3), ((15, 25), 9))
    )
    flat = Pictures("flat", tmp_path, [planes], VideoFormat(50, 30, 10))
    for width, height in ((16, 10), (12, 30), (100, 40)):
        made = resized(flat, width, height)
        assert [set(np.unique(plane)) for plane in made.frames[0]] == [{1000}, {3}, {9}]
        assert made.format.bit_depth == 10
