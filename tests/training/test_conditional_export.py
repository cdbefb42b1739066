"""From a run of predicted frames to a file of weights, what is measured with it, and back to a model that trains on."""

from __future__ import annotations

import dataclasses
import json
from statistics import fmean

import numpy as np
import pytest
import safetensors.numpy
import torch

from nvcodec.codecs.weights import FOLDER, default_ids
from nvcodec.errors import InputError, UsageError
from nvcodec.models.conditional import CONDITIONAL_CONFIGS, ConditionalConfig
from nvcodec.models.conditional_transform import ConditionalTransformConfig, decoder_macs
from nvcodec.models.latent import CONFIGS, latent_config
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.residual_prior import ResidualPriorConfig
from nvcodec.models.transform import TransformConfig
from nvcodec.models.weights import Weights, pack_weights, parse_weights
from nvcodec.training.__main__ import main
from nvcodec.training.card import part_macs
from nvcodec.training.checkpoint import load_checkpoint, restore
from nvcodec.training.corpus import open_corpus, split_corpus
from nvcodec.training.export import DEFAULTS, set_default, validate_packed
from nvcodec.training.history import Circumstances
from nvcodec.training.importing import model_of, start_from_file
from nvcodec.training.log import LOG_NAME, read_log
from nvcodec.training.making import make_model
from nvcodec.training.settings import TrainSettings
from nvcodec.training.state import Training
from nvcodec.training.validation import PREDICTED, QUALITIES, WHOLE, validate, validation_clips

SIZES = {"hyper": 8, "hyper_width": 16, "width": 32, "temporal_blocks": 1, "temporal_kernel": 3, "blocks": 1}
CONFIG = ConditionalConfig(ConditionalTransformConfig(16, 1, 16, 1, 1, 1), ResidualPriorConfig(**SIZES))
TRAIN = ["--batch", "1", "--crop", "32", "--frames", "2", "--validation-clips", "1", "--held-out", "2"]
ONE = ["--threads", "1", "--device", "cpu"]
KEYS = default_ids()["s"]  # the weights of key frames


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Sizes "s" are tiny models; key frames are coded by the weights that ship."""
    monkeypatch.setitem(CONDITIONAL_CONFIGS, "s", CONFIG)
    tiny = dataclasses.replace(latent_config("s"), transform=TransformConfig(16, 1, 16, 1), prior=PriorConfig(**SIZES))
    monkeypatch.setitem(CONFIGS, "s", tiny)


@pytest.fixture
def run(packed, tmp_path) -> str:
    """A stage of two steps."""
    made = str(tmp_path / "run")
    words = ["train", str(packed), made, "--model", "conditional-s", "--stage", "inter", "--steps", "2", *TRAIN, *ONE]
    assert main(words) == 0
    return made


@pytest.fixture(scope="module")
def clips(packed):
    return validation_clips(split_corpus(open_corpus(packed), 2), 1, 3)


def trained(name: str, seed: int = 3) -> torch.nn.Module:
    """A model whose every number has moved away from its start, as by training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make_model(name)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                noise = torch.randn_like(parameter)
                parameter.add_(noise, alpha=0.02 if "linear" not in key and "logs" not in key else 1e-4)
    return model.eval()


def packed_model(model: torch.nn.Module) -> Weights:
    return parse_weights(pack_weights(model))


# from a run to a file


def test_a_file_and_its_card_of_predicted_frames(run, packed, tmp_path, capsys):
    out = tmp_path / "weights"
    out.mkdir()
    set_default(out, "s", KEYS)
    assert main(["export", run, str(out), "--corpus", str(packed), "--clips", "1", "--default", *ONE]) == 0
    said = capsys.readouterr().out
    (path,) = out.glob("*.safetensors")
    weights = parse_weights(path.read_bytes())
    assert path.name == f"conditional-s-{weights.id.hex()}.safetensors" and weights.config == CONFIG
    assert json.loads((out / DEFAULTS).read_text()) == {"s": KEYS, "conditional-s": weights.id.hex()}
    assert (weights.about["model"], weights.about["key weights"]) == ("conditional-s", KEYS)
    card = path.with_suffix(".md").read_text()
    assert card.startswith(f"# {path.stem}\n") and "`conditional`, size `s`" in card and "\n\n\n" not in card
    assert f"those of id `{KEYS}`" in card and f"in low delay behind key frames of weights {KEYS}" in card
    assert "1 clips of 3 pictures of 64x64" in card and "bytes of whole units" in card and "key frame |" in card
    assert "| context | " in card and "--stage inter --model conditional-s --steps 2" in card
    assert said.count("q ") == len(QUALITIES) == said.count(f"({WHOLE})")


def test_the_logs_rows_are_told_from_those_of_the_file(run, tmp_path, capsys):
    rows = read_log(tmp_path / "run" / LOG_NAME)[0]["rows"]
    assert all(row["of"] == PREDICTED and len(row["bpp"]) == 1 for row in rows)  # of the second of two frames
    assert main(["export", run, str(tmp_path / "w"), *ONE]) == 0
    (card,) = (tmp_path / "w").glob("*.md")
    text = card.read_text()
    assert "By the training's log, step 2, before packing" in text and "without their key frame" in text
    assert "bpp, predicted frames, means" in text and "bpp, key frame" not in text
    last = read_log(tmp_path / "run" / LOG_NAME)[-2]["rows"]
    assert f"| 8 | {fmean(last[0]['bpp']):.4f} | {fmean(last[0]['psnr']):.2f} dB |" in text


def test_what_is_validated_is_what_the_codec_codes(clips):
    """In order of display, the key frame first, which is the shipped model's affair alone."""
    one, other = (
        validate_packed(packed_model(trained("conditional-s", seed)), "conditional-s", clips) for seed in (3, 4)
    )
    assert [row["quality"] for row in one] == list(QUALITIES)
    for a, b in zip(one, other, strict=True):
        assert len(a["bpp"]) == len(a["psnr"]) == 3 and a["of"] == WHOLE
        assert (a["bpp"][0], a["psnr"][0]) == (b["bpp"][0], b["psnr"][0]) and a["psnr"][1:] != b["psnr"][1:]
        assert all(8 * np.array(a["bpp"]) * 64 * 64 % 8 < 1e-6)  # whole bytes
    assert one[0]["bpp"][0] < one[-1]["bpp"][0]


def test_key_weights_are_remembered(run, tmp_path):
    state = load_checkpoint(tmp_path / "run")
    assert state.where.key_weights == (KEYS,) and state.where.began_with == ()
    before = {"corpora": [], "machines": ["one"], "commits": []}  # as checkpoints of before have it
    assert Circumstances.from_json(before) == Circumstances(machines=("one",))
    for odd in ({**before, "other": []}, {**before, "key_weights": "no list"}, {"key_weights": []}):
        with pytest.raises(ValueError, match="circumstances"):
            Circumstances.from_json(odd)


@pytest.mark.parametrize("size", ["s", "m"])
def test_multiply_adds_of_parts_are_the_decoders(size):
    config = CONDITIONAL_CONFIGS[size]
    parts = part_macs(config)
    assert parts["context"] + parts["synthesis"] == decoder_macs(config.transform)
    assert list(parts) == sorted(parts)


@pytest.mark.parametrize(
    "values", [{"stage": "intra"}, {"stage": "inter", "frames": 1}, {"stage": "intra", "model": "conditional-m"}]
)
def test_predicted_frames_need_clips(values):
    with pytest.raises(UsageError, match="predicts frames: it takes --stage inter"):
        TrainSettings(steps=1, **{"model": "conditional-s", **values})


def test_an_unknown_model_names_those_there_are():
    for name in ("xl", "conditional-xl", "conditional-"):
        with pytest.raises(UsageError, match=f"s, m, conditional-s, conditional-m, not '{name}'"):
            make_model(name)


# from a file back to a model


@pytest.mark.parametrize("name", ["s", "conditional-s"])
def test_packing_an_imported_model_gives_its_file_again(name):
    weights = packed_model(trained(name))
    again = packed_model(model_of(weights, name))
    assert again.config == weights.config and set(again.arrays) == set(weights.arrays)
    for key, array in weights.arrays.items():
        if key == "prior.z_index":
            assert np.array_equal(again.arrays[key][:, ::9], array[:, ::9])
            assert np.abs(again.arrays[key].astype(int) - array).max() <= 1
        elif key.startswith("prior."):
            same = (again.arrays[key] == array).mean()
            assert same > 0.98, f"{key}: {same}"  # a sum at its limit may take a coarser shift
        else:
            assert np.array_equal(again.arrays[key], array), key


@pytest.mark.parametrize("name", ["s", "conditional-s"])
def test_an_imported_model_reaches_what_its_file_does(name, clips):
    whole = trained(name)
    weights = packed_model(whole)
    model = model_of(weights, name).eval()
    pairs = [(validate_packed(weights, name, clips), validate_packed(packed_model(model), name, clips))]
    pairs.append((validate(whole, clips), validate(model, clips)))
    for wanted, found in pairs:
        for a, b in zip(wanted, found, strict=True):
            assert sum(b["bpp"]) == pytest.approx(sum(a["bpp"]), rel=0.01)
            assert b["psnr"] == pytest.approx(a["psnr"], abs=0.05)


@pytest.mark.parametrize("name", ["s", "conditional-s"])
def test_a_training_begins_with_a_file(name, run, packed, tmp_path, capsys):
    out = str(tmp_path / "weights")
    first = run
    if name == "s":
        first = str(tmp_path / "a")
        assert main(["train", str(packed), first, "--stage", "intra", "--steps", "1", *TRAIN, *ONE]) == 0
    assert main(["export", first, out, *ONE]) == 0
    (path,) = (tmp_path / "weights").glob("*.safetensors")
    weights, stage = parse_weights(path.read_bytes()), "inter" if name != "s" else "intra"
    words = ["train", str(packed), str(tmp_path / "on"), "--model", name, "--stage", stage, "--steps", "1"]
    assert main([*words, "--start-from", str(path), *TRAIN, *ONE]) == 0
    state = load_checkpoint(tmp_path / "on")
    assert state.where.began_with == (weights.id.hex(),) and len(state.stages) == 2
    assert main(["export", str(tmp_path / "on"), str(tmp_path / "w2"), *ONE]) == 0
    (card,) = (tmp_path / "w2").glob("*.md")
    assert f"--start-from FOLDER/*-{weights.id.hex()}.safetensors" in card.read_text()
    assert f"went on from packed weights, made floats again: `{weights.id.hex()}`" in card.read_text()


def test_mean_weights_begin_there_too(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(pack_weights(trained("conditional-s")))
    training = Training(make_model("conditional-s"), TrainSettings("inter", "conditional-s", steps=1))
    start_from_file(training, path)
    assert not restore(training.average, {f"a/{k}": t for k, t in training.model.state_dict().items()}, "a/")
    for name, tensor in training.model.state_dict().items():
        assert torch.equal(tensor, training.average[name])
    assert all(parameter.requires_grad for parameter in training.model.parameters())
    assert training.earlier == ()  # the file says nothing of its stages


def test_files_that_are_no_start_are_a_line(tmp_path, packed, capsys):
    good = pack_weights(trained("conditional-s"), {"stages": "[" * 5000})
    (tmp_path / "good.safetensors").write_bytes(good)
    (tmp_path / "cut.safetensors").write_bytes(good[: len(good) // 2])
    arrays = safetensors.numpy.load(good)
    head = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])["__metadata__"]
    lacking = {name: array for name, array in arrays.items() if not name.startswith("analysis.")}
    (tmp_path / "decoder.safetensors").write_bytes(safetensors.numpy.save(lacking, head))
    shared = ["train", str(packed), str(tmp_path / "run"), "--stage", "inter", "--steps", "1", *TRAIN, *ONE]
    for file, model, words in (
        ("good", "s", "sizes of model 's'"),
        ("cut", "conditional-s", "not a file of weights"),
        ("decoder", "conditional-s", "hold no analysis"),
    ):
        start = str(tmp_path / f"{file}.safetensors")
        assert main([*shared, "--model", model, "--start-from", start]) in (3, 4), file
        error = capsys.readouterr().err
        assert words in error and start in error and error.count("\n") == 1, error
    training = Training(make_model("conditional-s"), TrainSettings("inter", "conditional-s", steps=1))
    start_from_file(training, tmp_path / "good.safetensors")  # nonsense about stages is left out
    assert training.earlier == ()
    with pytest.raises(InputError):
        start_from_file(training, next(FOLDER.glob(f"latent-*{KEYS}.safetensors")))
