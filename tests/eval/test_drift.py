"""The measure of drift: one chain, its end beside fresh groups of the same frames."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from eval import drift
from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.structure import LONGEST_CHAIN


def test_the_chain_of_low_delay_is_the_longest_there_is() -> None:
    assert drift.LONGEST["low-delay"] == LONGEST_CHAIN


def test_a_row_compares_the_same_frames(make_clip, carphone: Path, tiny_conditional: Path, monkeypatch) -> None:
    monkeypatch.setitem(drift.LONGEST, "low-delay", 12)
    clip, groups = make_clip(carphone, 32, 32, 12), list[int]()
    coded = drift.coded_psnr
    monkeypatch.setattr(
        drift, "coded_psnr", lambda frames, *rest: groups.append(len(frames)) or coded(frames, *rest)
    )  # fmt: skip
    spec = GroupSpec(20, preset="faster", structure="low-delay", model=str(tiny_conditional))
    row = json.loads(json.dumps(drift.measure(clip, spec, [8, 12])))
    assert groups == [12, 8, 12] and row["frames"] == 12
    assert row["lost"]["12"] == 0 and row["lost"]["8"] == row["fresh"]["8"] - row["chain"]
    assert row["commit"] and row["machine"]


def test_a_cut_or_too_few_frames_make_no_row(crop, make_clip, carphone: Path, tiny_conditional: Path) -> None:
    spec = GroupSpec(20, preset="faster", structure="low-delay", model=str(tiny_conditional))
    with pytest.raises(SystemExit, match="12 frames, 33 are needed"):
        drift.measure(make_clip(carphone, 32, 32, 12), spec, [8])
    frames = crop(32, 32, 4)
    cut = [*frames[:2], *(tuple(255 - plane for plane in planes) for planes in frames[2:])]
    with pytest.raises(SystemExit, match="2 key frames"):
        drift.coded_psnr(cut, drift.VideoFormat(32, 32), spec)


@pytest.mark.parametrize("text", ["7", "12,34", "0"])
def test_fresh_groups_hold_the_frames_that_count_and_one_chain(text: str) -> None:
    assert drift.lengths("12,24") == [12, 24]
    with pytest.raises(argparse.ArgumentTypeError):
        drift.lengths(text)
