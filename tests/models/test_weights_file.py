"""Files of weights: the same model comes back, ids tell decoders apart, and what is bent is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs import weights as store
from nvcodec.codecs.weights import Model, find_weights, load_model, named_weights, read_weights, stored_model
from nvcodec.errors import FormatError, InputError, UnsupportedError, UsageError
from nvcodec.models.weights import MAX_BYTES, pack_weights, parse_weights
from nvcodec.training.making import make_model


@pytest.fixture(scope="module")
def data(tiny_weights) -> bytes:
    return tiny_weights.read_bytes()


def rewritten(data: bytes, change=None, **about: str) -> bytes:
    """The file with other tensors or strings, under the id that it stated."""
    size = int.from_bytes(data[:8], "little")
    said = json.loads(data[8 : 8 + size])["__metadata__"] | about
    arrays = safetensors.numpy.load(data)
    if change:
        change(arrays)
    return safetensors.numpy.save(arrays, said)


def test_what_was_packed_comes_back(data):
    weights = parse_weights(data)
    assert weights.about["model"] == "tiny" and weights.about["id"] == weights.id.hex()
    model = Model.of(weights)
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in model.synthesis.parameters())
    assert parse_weights(rewritten(data, note="another string")).id == weights.id


def test_the_id_is_the_decoders(data):
    def encoder(arrays):
        arrays["analysis.fine_head.bias"] += np.float32(0.5)

    def decoder(arrays):
        arrays["synthesis.head.bias"] += np.float32(0.5)

    def prior(arrays):
        arrays["prior.taps"][0, 0] ^= 1

    assert parse_weights(rewritten(data, encoder)).id == parse_weights(data).id
    for change in (decoder, prior):
        with pytest.raises(FormatError, match="damaged"):
            parse_weights(rewritten(data, change))


def sizes(data: bytes) -> str:
    return parse_weights(data).about["sizes"]


def test_a_decoder_needs_no_encoder(data):
    def without(arrays):
        for name in [name for name in arrays if name.startswith(("analysis.", "hyper_encoder."))]:
            del arrays[name]

    model = Model.of(parse_weights(rewritten(data, without)))
    with pytest.raises(FormatError):
        _ = model.parts


BAD = {
    "empty": lambda d: b"",
    "short": lambda d: d[:7],
    "cut": lambda d: d[:-100],
    "text": lambda d: b"not weights, but some longer text than eight bytes",
    "a head beyond the file": lambda d: (1 << 40).to_bytes(8, "little") + d[8:],
    "another format": lambda d: rewritten(d, format="other 1"),
    "no sizes": lambda d: rewritten(d, sizes=""),
    "odd sizes": lambda d: rewritten(d, sizes='{"prior":{},"transform":{}}'),
    "huge sizes": lambda d: rewritten(d, sizes=sizes(d).replace('"width":16', '"width":1000000')),
    "fractions": lambda d: rewritten(d, sizes=sizes(d).replace('"width":16', '"width":16.0')),
    "version 0": lambda d: rewritten(d, format="nvcodec weights 0"),
    "another id": lambda d: rewritten(d, id="00" * 8),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bent_files_are_refused(data, case, tmp_path):
    path = tmp_path / "bent.safetensors"
    path.write_bytes(BAD[case](data))
    with pytest.raises(FormatError, match="bent"):
        load_model(path)


def test_a_later_version_is_told_from_damage(data):
    with pytest.raises(UnsupportedError, match="version 2"):
        parse_weights(rewritten(data, format="nvcodec weights 2"))


def test_tensors_of_other_shapes_and_numbers(data):
    weights = parse_weights(data)

    def with_array(name, array):
        return type(weights)(weights.config, {**weights.arrays, name: array}, weights.id, weights.about)

    bias = weights.arrays["synthesis.head.bias"]
    for name, array in {
        "synthesis.head.bias": bias[:-1],
        "synthesis.more": bias,
        "analysis.linear": np.full((96, 96), np.nan, np.float32),
        "synthesis.linear": weights.arrays["synthesis.linear"].astype(np.float64),
        "prior.taps": weights.arrays["prior.taps"][:-1],
        "prior.fuse1.bias": np.full_like(weights.arrays["prior.fuse1.bias"], 1 << 24),
    }.items():
        with pytest.raises(FormatError):
            _ = Model.of(with_array(name, array)).parts


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 1 << 30), bits=st.integers(1, 255))
def test_no_byte_changes_unseen(data, at, bits):
    """Of a decoder's part; changes elsewhere may be harmless, but none ends in another error."""
    bent = bytearray(data)
    bent[at % len(bent)] ^= bits
    try:
        weights = parse_weights(bytes(bent))
        Model.of(weights)
    except FormatError:
        return
    assert weights.id == parse_weights(data).id


def test_files_are_found_by_name_and_by_what_they_hold(data, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_chosen", [])
    wanted = parse_weights(data).id
    assert find_weights(wanted) == tiny_weights
    assert stored_model(wanted) is stored_model(wanted)
    named = tmp_path / f"latent-x-{wanted.hex()}.safetensors"
    shutil.copy(tiny_weights, named)
    (tmp_path / "somebody-elses.safetensors").write_bytes(b"x")
    monkeypatch.setenv("NVCODEC_WEIGHTS", str(tmp_path))
    assert find_weights(wanted) == named
    wrong = tmp_path / "latent-x-0123456789abcdef.safetensors"
    shutil.copy(tiny_weights, wrong)
    with pytest.raises(FormatError, match="under the name of 0123456789abcdef"):
        stored_model(bytes.fromhex("0123456789abcdef"))
    monkeypatch.setenv("NVCODEC_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(UnsupportedError, match=wanted.hex()):
        find_weights(wanted)


def test_names_of_models(tiny_weights, monkeypatch, tmp_path):
    assert named_weights(str(tiny_weights)) == tiny_weights
    with pytest.raises(UsageError, match="no weights for model 'q'"):
        named_weights("q")
    with pytest.raises(InputError, match="no such file"):
        named_weights(str(tmp_path / "missing.safetensors"))
    with pytest.raises(InputError):
        read_weights(tmp_path / "missing.safetensors")
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(FormatError, match="too large"):
        read_weights(large)
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    with pytest.raises(UsageError, match="none"):
        named_weights(None)


@pytest.mark.parametrize(("size", "most"), [("s", 3_000_000), ("m", 6_000_000)])
def test_files_of_both_sizes_can_ship(size, most):
    assert len(pack_weights(make_model(size), {"note": "x" * 4000})) <= most
