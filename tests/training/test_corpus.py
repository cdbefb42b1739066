"""Packing real pictures, mapping them, and batches that depend on seed and step alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.errors import InputError, OutputError, UsageError
from nvcodec.training.corpus import Sampler, open_corpus, planes, split_corpus
from nvcodec.training.opencv import yuv420_from_bgr
from nvcodec.training.packing import INDEX, Packing, cut_clips, find_sources, halve, pack, sidecar_groups


def test_items_are_pieces_of_the_pictures(packed, decoded):
    clips = next(items for items in open_corpus(packed) if items.frames == 3)
    assert len(clips.sources) == 16 and clips.sources[0] == "clip0.mkv"
    y, u, v = planes(clips.samples[:1], 64)
    assert y.shape == (1, 3, 64, 64) and u.shape == v.shape == (1, 3, 32, 32)
    shown = [halve(picture) for picture in decoded[:3]]  # 272 lines are more than four pieces high
    top, left = _place(y[0, 0].numpy(), shown[0][0])
    for frame in range(3):
        assert (shown[frame][0][top : top + 64, left : left + 64] == y[0, frame].numpy()).all()
        for plane, piece in zip(shown[frame][1:], (u, v), strict=True):
            half = plane[top // 2 : top // 2 + 32, left // 2 : left // 2 + 32]
            assert (half == piece[0, frame].numpy()).all()


def _place(piece: np.ndarray, luma: np.ndarray) -> tuple[int, int]:
    windows = np.lib.stride_tricks.sliding_window_view(luma, piece.shape)[::2, ::2]
    places = np.argwhere((windows[:, :, ::9, ::9] == piece[::9, ::9]).all((2, 3)))
    return next((2 * int(a), 2 * int(b)) for a, b in places if (windows[a, b] == piece).all())


def test_stills_are_clips_of_one_frame(packed):
    assert {items.frames: len(items.sources) for items in open_corpus(packed)} == {1: 2, 3: 16}


def test_runs_with_a_scene_cut_are_left_out(decoded):
    dark = tuple(np.zeros_like(plane) for plane in decoded[0])
    white = tuple(np.full_like(plane, 255) for plane in decoded[0])
    numbers = [n for n, _ in cut_clips([dark, white, white, white], 2, Packing(size=64, frames=2), 0)]
    assert numbers == [1]


def test_every_and_limit_thin_out_a_long_video(decoded):
    packing = Packing(size=64, frames=2, every=3, limit=2)
    assert [n for n, _ in cut_clips(decoded, 2, packing, 0)] == [0, 3]


def test_small_pictures_give_nothing_and_are_named(tmp_path, decoded):
    with pytest.raises(InputError, match="smaller or shorter"):
        pack([Path("x.mkv")], tmp_path, lambda path: iter(decoded[:7]), Packing(size=512))


def test_large_pictures_are_halved(decoded):
    luma = decoded[0][0].astype(float)
    expected = luma.reshape(luma.shape[0] // 2, 2, luma.shape[1] // 2, 2).mean((1, 3))
    assert np.abs(halve(decoded[0])[0] - expected).max() <= 0.5


def test_a_finished_corpus_is_not_overwritten(packed, decoded):
    with pytest.raises(OutputError, match="already"):
        pack([], packed, iter, Packing())


def test_a_sidecar_names_the_sources_of_joined_clips(tmp_path, decoded):
    video = tmp_path / "all.mkv"
    video.with_suffix(".json").write_text(json.dumps([{"src": "a"}, {"src": "b"}]))
    assert sidecar_groups(video) == ["a", "b"]
    result = pack([video], tmp_path / "out", lambda path: iter(decoded[:6]), Packing(size=64, frames=2))
    assert result.items == {2: ["a", "b", "all.mkv"]}
    video.with_suffix(".json").write_text('{"src": 1}')
    with pytest.raises(InputError, match="src"):
        sidecar_groups(video)


def test_sources_are_found_in_folders(tmp_path):
    for name in ("b.mp4", "a.png", "a.json", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in find_sources([tmp_path])] == ["a.png", "b.mp4"]
    with pytest.raises(InputError):
        find_sources([tmp_path / "none"])


def test_no_source_trains_and_validates(packed):
    split = split_corpus(open_corpus(packed), 2)
    for (items, rows), (_, kept) in zip(split.training, split.validation, strict=True):
        if items.frames == 3:
            names = [{items.sources[i] for i in part} for part in (rows, kept)]
            assert not names[0] & names[1] and len(names[1]) == 2 and len(rows) == 12


def test_batches_depend_on_seed_and_step_alone(split):
    make = lambda seed: Sampler(split, batch=4, frames=3, crop=32, stills=0.5, seed=seed)  # noqa: E731
    sampler = make(5)
    sampler.batch(1)
    one, two, other = sampler.batch(7), make(5).batch(7), make(6).batch(7)
    for a, b in zip((*one[0], one[1]), (*two[0], two[1]), strict=True):
        assert a.equal(b)
    assert not one[0][0].equal(other[0][0])
    assert one[0][0].shape == (4, 3, 32, 32) and one[0][1].shape == (4, 3, 16, 16)
    assert one[1].min() >= 0 and one[1].max() <= 63


def test_stills_have_their_share(split):
    sampler = Sampler(split, batch=1, frames=1, crop=64, stills=0.75, seed=0)
    shares = {items.frames: share for (items, _), share in zip(sampler._parts, sampler._shares, strict=True)}
    assert shares == pytest.approx({1: 0.75, 3: 0.25})


@pytest.mark.parametrize(("frames", "crop"), [(4, 32), (3, 24), (3, 128)])
def test_impossible_batches_are_refused(split, frames, crop):
    with pytest.raises(UsageError):
        Sampler(split, batch=1, frames=frames, crop=crop, stills=0, seed=0)


def test_a_shortened_file_is_refused(packed, tmp_path):
    for path in packed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: None if path.name == INDEX else -1])
    with pytest.raises(InputError, match="as long as"):
        open_corpus(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional={key: json_values for key in ("format", "size", "arrays")}), st.booleans())
def test_any_index_is_refused_in_one_line(tmp_path_factory, index, right_format):
    folder = tmp_path_factory.mktemp("hostile")
    if right_format:
        index = {**index, "format": "nvcodec corpus 1", "arrays": [index.get("arrays")]}
    (folder / INDEX).write_text(json.dumps(index))
    try:
        assert open_corpus(folder) == []
    except InputError as error:
        assert "\n" not in str(error)


def test_colours_of_bgr_are_bt601():
    names = {"white": (255, 255, 255), "red": (0, 0, 255), "blue": (255, 0, 0), "black": (0, 0, 0)}
    wanted = {"white": (235, 128, 128), "red": (81, 90, 240), "blue": (41, 240, 110), "black": (16, 128, 128)}
    for name, bgr in names.items():
        y, u, v = yuv420_from_bgr(np.full((5, 4, 3), bgr, np.uint8))
        assert y.shape == (4, 4) and u.shape == (2, 2)
        assert (y[0, 0], u[0, 0], v[0, 0]) == wanted[name]
