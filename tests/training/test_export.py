"""From a run to a file of weights: what it holds, what is measured with it, and what its card says."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch

from nvcodec.errors import InputError, OutputError
from nvcodec.models.latent import CONFIGS, latent_config
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.transform import TransformConfig
from nvcodec.models.weights import parse_weights
from nvcodec.training.__main__ import main
from nvcodec.training.card import hyper_macs
from nvcodec.training.checkpoint import load_checkpoint, save_checkpoint
from nvcodec.training.corpus import open_corpus, split_corpus
from nvcodec.training.export import DEFAULTS, set_default, validate_packed
from nvcodec.training.log import LOG_NAME, read_log
from nvcodec.training.making import make_model
from nvcodec.training.settings import TrainSettings
from nvcodec.training.state import Training
from nvcodec.training.validation import validate, validation_clips, weights_of

PRIOR = PriorConfig(hyper=8, hyper_width=16, width=32, temporal_blocks=1, temporal_kernel=3, blocks=1)
TRAIN = ["--batch", "1", "--crop", "32", "--frames", "2", "--validation-clips", "1", "--held-out", "2"]
ONE = ["--threads", "1", "--device", "cpu"]


@pytest.fixture
def small(monkeypatch) -> None:
    """Size "s" is a tiny model."""
    config = dataclasses.replace(latent_config("s"), transform=TransformConfig(16, 1, 16, 1), prior=PRIOR)
    monkeypatch.setitem(CONFIGS, "s", config)


@pytest.fixture
def runs(small, packed, tmp_path) -> list[str]:
    """An intra stage and an inter stage behind it."""
    names = [str(tmp_path / "a"), str(tmp_path / "b")]
    shared = ["train", str(packed)]
    assert main([*shared, names[0], "--stage", "intra", "--steps", "2", *TRAIN, *ONE]) == 0
    more = ["--stage", "inter", "--steps", "2", "--start-from", names[0], "--lr", "0.001"]
    assert main([*shared, names[1], *more, *TRAIN, *ONE]) == 0
    return names


def test_weights_and_card_of_two_stages(runs, packed, tmp_path, capsys):
    out = tmp_path / "weights"
    told = ["--corpus", str(packed), "--note", "A trial of two steps.", "--default"]
    assert main(["export", runs[1], str(out), *told, *ONE]) == 0
    said = capsys.readouterr().out
    (path,) = out.glob("*.safetensors")
    weights = parse_weights(path.read_bytes())
    assert path.name == f"latent-s-{weights.id.hex()}.safetensors" and weights.config == CONFIGS["s"]
    assert json.loads((out / DEFAULTS).read_text()) == {"s": weights.id.hex()}
    assert weights.about["note"] == "A trial of two steps." and "research-use" in weights.about["terms of the corpus"]
    stages = json.loads(weights.about["stages"])
    assert [stage["settings"]["stage"] for stage in stages] == ["intra", "inter"]
    card = path.with_suffix(".md").read_text()
    assert card.startswith(f"# {path.stem}\n") and weights.id.hex() in card and "not cover" in card
    assert "16 clips of 3 pictures of 64x64 from 8 sources" in card and "those that follow" in card
    assert "--start-from RUN1 --stage inter --steps 2 --batch 1" in card and "--lr 0.001" in card
    assert "| intra | 2 | " in card and "1 thread |" in card and "\n\n\n" not in card
    assert said.count("q ") == 4 and f"{path}: {path.stat().st_size} bytes" in said
    assert sorted(p.name for p in out.iterdir()) == sorted([path.name, f"{path.stem}.md", DEFAULTS])


def test_figures_are_those_of_the_packed_file(runs, packed, tmp_path):
    state = load_checkpoint(tmp_path / "b")
    assert main(["export", runs[1], str(tmp_path / "w"), *ONE]) == 0
    (path,) = (tmp_path / "w").glob("*.safetensors")
    clips = validation_clips(split_corpus(open_corpus(packed), 2), 1, 2)
    rows = validate_packed(parse_weights(path.read_bytes()), "s", clips)
    model = make_model("s")
    with weights_of(model, {k.removeprefix("average/"): t for k, t in state.tensors.items() if "average/" in k}):
        whole = validate(model, clips)
    for packed_row, row in zip(rows, whole, strict=True):
        assert packed_row["bpp"] == pytest.approx(row["bpp"], rel=0.01)
        assert packed_row["psnr"] == pytest.approx(row["psnr"], abs=0.1)
    assert "By the training's log, step 2, before packing" in path.with_suffix(".md").read_text()


def test_an_intra_stage_alone_says_what_it_lacks(runs, packed, tmp_path):
    assert main(["export", runs[0], str(tmp_path / "w"), "--corpus", str(packed), *ONE, "--clips", "2"]) == 0
    (card,) = (tmp_path / "w").glob("*.md")
    text = card.read_text()
    assert "temporal prior is untrained" in text and "those that follow" not in text
    assert "This file on 2 pictures of 64x64 from held-out sources" in text


def test_a_checkpoint_of_before_is_exported_too(small, packed, tmp_path):
    training = Training(make_model("s"), TrainSettings(steps=9, held_out=2))
    save_checkpoint(tmp_path / "run", dataclasses.replace(training.state(), step=4))
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "w"), *ONE]) == 0
    (card,) = (tmp_path / "w").glob("*.md")
    assert "| intra | 4 of 9 | 0 s | not recorded | not recorded |" in card.read_text()
    assert "Not measured." in card.read_text() and "Not recorded." in card.read_text()
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "w2"), "--corpus", str(packed), *ONE]) == 0
    assert "2 pictures of 64x64 from 2 sources" in next((tmp_path / "w2").glob("*.md")).read_text()


def test_mistakes_are_a_line(runs, tmp_path, capsys):
    (tmp_path / "file").touch()
    broken = load_checkpoint(tmp_path / "a")
    broken.tensors["average/synthesis.linear"].fill_(math.nan)
    save_checkpoint(tmp_path / "nan", broken)
    for arguments, code, words in (
        ([str(tmp_path / "none"), str(tmp_path / "w")], 3, "no checkpoint"),
        ([runs[0], str(tmp_path / "file")], 9, "file"),
        ([runs[0], str(tmp_path / "w"), "--corpus", str(tmp_path)], 3, "nvcodec.training pack makes one"),
        ([str(tmp_path / "nan"), str(tmp_path / "w")], 3, "cannot be packed: synthesis.linear"),
        ([runs[0], str(tmp_path / "w"), "--clips", "-1"], 2, "clips"),
    ):
        capsys.readouterr()
        assert main(["export", *arguments, *ONE]) == code
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error
    assert not (tmp_path / "w").exists()


def test_the_default_of_another_size_stays(tmp_path):
    set_default(tmp_path, "m", "01")
    set_default(tmp_path, "s", "02")
    set_default(tmp_path, "s", "03")
    assert json.loads((tmp_path / DEFAULTS).read_text()) == {"m": "01", "s": "03"}
    for text in ("[]", "{", '{"s": 1}', "[" * 100_000):
        (tmp_path / DEFAULTS).write_text(text)
        with pytest.raises(InputError):
            set_default(tmp_path, "s", "04")
        assert (tmp_path / DEFAULTS).read_text() == text
    with pytest.raises(OutputError):
        set_default(tmp_path / DEFAULTS, "s", "04")


def test_multiply_adds_are_counted():
    config = PriorConfig(latents=2, hyper=3, width=5)
    wide = [torch.Size(s) for s in ((5, 8, 1, 1), (5, 8, 1, 1), (5, 1, 3, 3))]  # 16 positions of 64x64 pixels
    mid = [torch.Size(s) for s in ((5, 5, 2, 2), (5, 1, 3, 3))]  # 4
    total = 16 * sum(s.numel() for s in wide) + 4 * sum(s.numel() for s in mid) + 3 * 5 * 4
    assert hyper_macs(config) * 64**2 == total


def test_a_log_as_csv(runs, tmp_path, capsys):
    capsys.readouterr()
    assert main(["log", *runs]) == 0
    assert capsys.readouterr().out.splitlines() == ["run,step,seconds,loss,bpp,mse,norm,lr"]  # --log-every is 20
    assert main(["log", *runs, "--kind", "validation"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "run,step,seconds,quality,position,bpp,psnr" and len(lines) == 2 * 4 * (1 + 2)
    row = read_log(tmp_path / "a" / LOG_NAME)[0]["rows"][0]
    assert lines[0] == f"a,0,0.0,8,0,{row['bpp'][0]},{row['psnr'][0]}"
    assert main(["log", str(tmp_path)]) == 3
    (tmp_path / LOG_NAME).write_text('{"kind": "train", "step": 1}\n')
    assert main(["log", str(tmp_path)]) == 3
