"""The test vectors, the second reader and the specification's own listing."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.container import LEVELS, describe_file
from nvcodec.errors import NvcodecError

FOLDER = Path(__file__).resolve().parents[2] / "bitstream"
VECTORS = sorted((FOLDER / "vectors").glob("*/*.nvc"))


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


second = _load("nvc_reader")


def _first_says(data: bytes) -> object:
    try:
        return json.loads(json.dumps(describe_file(io.BytesIO(data))))
    except NvcodecError as error:
        return {"error": type(error).__name__}


def _second_says(data: bytes) -> object:
    try:
        return json.loads(json.dumps(second.describe(data)))
    except second.Refused as error:
        return {"error": error.name}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_both_readers_agree_with_the_vector(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert _first_says(path.read_bytes()) == expected
    assert _second_says(path.read_bytes()) == expected
    if path.parent.name == "good":
        assert "error" not in expected and not expected["damage"] and not expected["truncated"]
    elif "error" not in expected:
        assert expected["damage"] or expected["truncated"]


def test_the_script_makes_these_vectors() -> None:
    made = _load("make_vectors").all_files()
    there = {str(p.relative_to(FOLDER / "vectors")): p.read_bytes() for p in (FOLDER / "vectors").glob("*/*")}
    assert made.keys() == there.keys() and made == there
    assert len(made) > 100 and sum(map(len, made.values())) < 200_000


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([p for p in VECTORS if p.stat().st_size < 1000]), st.data())
def test_both_readers_agree_on_damage(path: Path, data: st.DataObject) -> None:
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    first, other = _first_says(bytes(damaged)), _second_says(bytes(damaged))
    assert first == other


LIBRARY = (FOLDER / "vectors" / "good" / "library.nvc").read_bytes()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_both_readers_agree_on_damaged_libraries(data: st.DataObject) -> None:
    """Bytes changed or lost, whole videos lost, twice or in another order, cut anywhere."""
    starts = [match.start() for match in re.finditer(rb"\x89NVC", LIBRARY)]
    videos = [LIBRARY[a:b] for a, b in zip(starts, [*starts[1:], len(LIBRARY)], strict=True)]
    drawn = data.draw(st.lists(st.sampled_from([0, 1, 2]), max_size=4) | st.just([0, 1, 2]))
    damaged = bytearray(b"".join(videos[number] for number in drawn))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 300))] = data.draw(st.binary(max_size=3))
    cut = bytes(damaged[: data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))])
    assert _first_says(cut) == _second_says(cut)


def test_second_reader_stands_alone(tmp_path: Path) -> None:
    """It runs without the package and without site-packages."""
    script, sample = FOLDER / "nvc_reader.py", FOLDER / "vectors" / "good" / "sample.nvc"
    command = [sys.executable, "-I", "-S", str(script)]
    shown = subprocess.run([*command, "--json", str(sample)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == json.loads(sample.with_suffix(".json").read_text(encoding="utf-8"))
    bad = subprocess.run(
        [*command, str(FOLDER / "vectors/bad/major_2.nvc")], cwd=tmp_path, capture_output=True, text=True
    )
    assert (bad.returncode, bad.stderr.split(":")[0]) == (1, "UnsupportedError") and "Traceback" not in bad.stderr
    source = script.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) (nvcodec|numpy|torch)", source, re.MULTILINE)


SPEC = (FOLDER / "SPEC.md").read_text(encoding="utf-8")


def test_walkthrough_is_the_file() -> None:
    listing = SPEC.split("<!-- walkthrough -->")[1].split("<!-- /walkthrough -->")[0]
    rows = re.findall(r"^\| (\d+) \| `([0-9A-F ]+)` \|", listing, re.MULTILINE)
    data = (FOLDER / "vectors/good/walkthrough.nvc").read_bytes()
    at = 0
    for offset, text in rows:
        assert int(offset) == at
        assert bytes.fromhex(text) == data[at : at + len(bytes.fromhex(text))]
        at += len(bytes.fromhex(text))
    assert at == len(data) < 300


def test_levels_of_the_text() -> None:
    rows = re.findall(r"^\| ([1-5]) \| " + r"2\^(\d+) \| (\d+)" + r" \| 2\^(\d+)" * 4 + r" \|$", SPEC, re.MULTILINE)
    assert len(rows) == len(LEVELS)
    for level, *numbers in ([int(cell) for cell in row] for row in rows):
        limits = LEVELS[level]
        powers = (limits.pixels, limits.parameters, limits.macs_per_pixel, limits.activation_bytes, limits.chunk_bytes)
        assert [numbers[1], *(1 << n for n in (numbers[0], *numbers[2:]))] == [limits.frames, *powers]


def test_codec_ids_of_the_text() -> None:
    """The registry of the text is the registry of the package (read as text, to load no networks)."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| \[", SPEC, re.MULTILINE)
    source = (FOLDER.parent / "nvcodec" / "codecs" / "registry.py").read_text(encoding="utf-8")
    registered = re.findall(r'"(\w+)": \((\d+), "nvcodec', source)
    assert {name: int(number) for number, name in rows} == {name: int(number) for name, number in registered}


def test_documents_do_not_name_missing_files() -> None:
    for document in ("SPEC.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([A-Z]+\.md)\)", (FOLDER / document).read_text(encoding="utf-8")):
            if target != "FITTED.md":
                assert (FOLDER / target).exists()
