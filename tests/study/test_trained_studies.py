"""Trained codecs in studies: how they are named, what is refused, what their rows say of frames and groups."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nvcodec.codecs.weights as weights_room
from nvcodec.cli import main
from nvcodec.container import Reader
from nvcodec.container.group import UnitSpan
from nvcodec.errors import FormatError, InputError, UsageError
from nvcodec.study import neural
from nvcodec.study.coded import GroupBits
from nvcodec.study.curves import curves
from nvcodec.study.estimate import Remaining
from nvcodec.study.points import plan
from nvcodec.study.rows import read_rows
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec


@pytest.fixture
def shipped(tiny_weights, monkeypatch):
    """The id in hex of weights that an encoder takes for size "s"."""
    found = weights_room.read_weights(tiny_weights).id.hex()
    monkeypatch.setattr(weights_room, "default_ids", lambda kind="": {"s": found})
    return found


@pytest.fixture
def clip(carphone, make_clip):
    return make_clip(carphone, 96, 80, 6)


def test_a_trained_codec_is_named_by_size_or_file(shipped, tiny_weights):
    plain = NeuralSpec.parse("stem", StudySettings(preset="slow"))
    assert plain == NeuralSpec.parse("stem:s", StudySettings(time_budget=60.0))
    assert (plain.family, plain.configuration, plain.model, plain.weights) == ("trained", "s", "s", shipped)
    file = NeuralSpec.parse(f"intra:{os.path.relpath(tiny_weights)}", StudySettings())
    assert (file.configuration, file.file, file.weights) == ("tiny", tiny_weights, shipped)
    assert (file.preset, file.time_budget, plain.file) == (None, None, None)


def test_a_preset_of_the_study_is_for_codecs_that_have_any(tiny_conditional):
    """Their own preset goes before it; the others have none, whatever the study's is."""
    fast = NeuralSpec.parse("conditional", StudySettings(preset="fast"))
    assert (fast.preset, fast.configuration) == ("fast", "s fast")
    assert fast == NeuralSpec.parse("conditional:fast", StudySettings())
    assert fast == NeuralSpec.parse("conditional:fast", StudySettings(preset="slow"))
    assert fast == NeuralSpec.parse("conditional:s", StudySettings(preset="fast"))
    file = NeuralSpec.parse(f"conditional:{tiny_conditional}", StudySettings(preset="slower"))
    assert (file.file, file.configuration) == (tiny_conditional, "tiny-conditional slower")
    assert neural._effort(file, StudySettings()) == ("--model", str(tiny_conditional), "--preset", "slower")
    assert NeuralSpec.parse("conditional", StudySettings()).preset is None
    assert NeuralSpec.parse("intra", StudySettings(preset="fast")).preset is None


def test_what_is_no_model_is_refused(tiny_weights, monkeypatch, tmp_path):
    monkeypatch.setattr(weights_room, "default_ids", lambda kind="": {})
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    for text, error in (
        ("stem", UsageError),
        ("stem:fast", UsageError),
        ("stem:2m", UsageError),
        ("stem:", UsageError),
        ("intra:none.safetensors", InputError),
        (f"intra:{tmp_path / 'x.safetensors'}", FormatError),
    ):
        with pytest.raises(error):
            NeuralSpec.parse(text, StudySettings())


def test_qualities_of_trained_codecs_are_whole(shipped, clip):
    for qualities in ((7.5,), (8, 62.5)):
        with pytest.raises(UsageError, match="qualities of stem are whole numbers, not"):
            plan([clip], StudySettings(codecs=("hnerv", "stem"), qualities=qualities))
    for points in range(1, 12):
        assert len(plan([clip], StudySettings(codecs=("stem",), anchors=("none",), points=points))) == points


def test_a_key_names_the_weights_and_no_seed(shipped, clip):
    def keys(**settings):
        return [p.key for p in plan([clip], StudySettings(codecs=("stem",), anchors=("none",), points=1, **settings))]

    assert keys() == keys(seed=3) == keys(preset="fast")
    assert shipped in keys()[0] and keys()[0] != keys(frames=2)[0]


def test_two_models_of_one_name_are_told_of(tiny_weights, clip, tmp_path):
    other = tmp_path / "tiny.safetensors"
    other.write_bytes(tiny_weights.read_bytes())
    settings = StudySettings(codecs=(f"stem:{tiny_weights}", f"intra:{tiny_weights}"), anchors=("none",), points=1)
    assert len(plan([clip], settings)) == 2
    with pytest.raises(UsageError, match="have one name"):
        plan([clip], StudySettings(codecs=(f"stem:{tiny_weights}", f"stem:{other}")))


def test_a_trained_study_from_end_to_end(tiny_weights, clip, tmp_path, monkeypatch):
    """Weights that were named as a file are found by the decoder, too; frames have the bytes of their units."""
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.delenv("NVCODEC_WEIGHTS", raising=False)
    out, kept = tmp_path / "r.jsonl", tmp_path / "kept"
    call = ["rd", str(clip), "--codecs", f"stem:{tiny_weights},intra:{tiny_weights}", "--anchors", "none"]
    call += ["--qualities", "40", "--metrics", "psnr", "--threads", "1", "--preset", "fast", "--pictures", "0"]
    assert main([*call, "--out", str(out), "--keep", str(kept)]) == 0
    rows = read_rows([out])
    assert [row.label for row in rows] == ["stem tiny", "intra tiny"]
    files = {name: next(kept.glob(f"*{name}*")) for name in ("stem", "intra")}
    for row in rows:
        assert row.family == "trained" and row.psnr_yuv > 20
        assert "--model tiny.safetensors" in row.command and "--preset" not in row.command
        assert "--seed" not in row.command and row.encoder.split()[-1] in row.key.split()
        bits = row.per_frame["bits"]
        assert sum(bits) == 8 * row.video_bytes == row.groups[0]["bits"]
        with files[row.codec].open("rb") as file:
            units = Reader(file).read_head(0).units
        rest = (8 * row.video_bytes - sum(8 * unit.length for unit in units)) / len(bits)
        assert all(abs(b - 8 * unit.length - rest) < 1 for b, unit in zip(bits, units, strict=True))
        assert len(set(bits)) > 1
    assert len(curves(rows)) == 2
    settings = StudySettings(codecs=(f"stem:{tiny_weights}",), anchors=("none",), qualities=(8, 40), threads=1)
    assert 0 < Remaining(plan([clip], settings), settings, rows).seconds() < 60


@st.composite
def groups(draw):
    """Units that show every frame of a group once, in any order, some of them none."""
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
    firsts = [sum(counts[:i]) for i in range(len(counts))]
    runs = draw(st.permutations(list(zip(firsts, counts, strict=True)))) + [(0, 0)] * draw(st.integers(0, 2))
    units = [UnitSpan(first, count, (), 0, draw(st.integers(0, 1000))) for first, count in runs]
    bits = 8 * (sum(unit.length for unit in units) + draw(st.integers(30, 500)))
    return GroupBits(0, sum(counts), bits), units


@given(groups())
def test_frames_share_all_bits_of_their_group(drawn):
    group, units = drawn
    bits = neural._shares(group, units)
    assert sum(bits) == group.bits and len(bits) == group.frames
    hidden = sum(8 * unit.length for unit in units if not unit.count)
    rest = (group.bits - sum(8 * unit.length for unit in units) + hidden) / group.frames
    for unit in units:
        for frame in range(unit.first, unit.first + unit.count):
            assert abs(bits[frame] - 8 * unit.length / unit.count - rest) < 2
