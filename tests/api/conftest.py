"""Encodes that take a moment: real clips, tiny pictures, a handful of steps where quality is not what is tested."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

import nvcodec
from nvcodec.codecs import sizing

ROOT = Path(__file__).parents[2]
FEW = 6  # optimiser steps of a group
PREAMBLE = f"""
import json, sys
from nvcodec.codecs import sizing
sizing.FEWEST_STEPS["faster"], sizing.EPOCHS["faster"] = {FEW}, 0
import nvcodec
"""
TINY = {"codec": "hnerv", "preset": "faster", "gof": 8, "threads": 1}

Child = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset "faster" takes six steps a group."""
    monkeypatch.setitem(sizing.FEWEST_STEPS, "faster", FEW)
    monkeypatch.setitem(sizing.EPOCHS, "faster", 0)


@pytest.fixture(scope="session")
def child() -> Child:
    """``child(code, *arguments, **options of subprocess.run)``: a fresh Python with few steps in "faster"."""

    def run(code: str, *arguments: object, **options: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=120, env=child_environment(), **options)

    return run


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen]:
    """``start(code, *arguments)``: the same, running."""

    def run(code: str, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, env=child_environment())

    return run


def child_environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def clip(make_clip: Callable[..., Path], bikes: Path) -> Path:
    """64x48, 24 frames, y4m."""
    return make_clip(bikes, 64, 48, 24)


@pytest.fixture(scope="session")
def coded(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``clip`` in three groups of eight frames. Do not write to it."""
    path = tmp_path_factory.mktemp("coded") / "clip.nvc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizing.FEWEST_STEPS, "faster", FEW)
        patch.setitem(sizing.EPOCHS, "faster", 0)
        nvcodec.encode(clip, path, quality=10, **TINY)
    yield path


@pytest.fixture(scope="session")
def talkie(make_clip: Callable[..., Path], bunny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64x48, 24 frames of FFV1 with the sound that belongs to them, AAC 5.1, in Matroska."""
    path = tmp_path_factory.mktemp("talkie") / "talkie.mkv"
    pictures = make_clip(bunny, 64, 48, 24, ".mkv")
    with av.open(str(pictures)) as video, av.open(str(bunny)) as sound, av.open(str(path), "w") as out:
        shown = out.add_stream_from_template(video.streams.video[0])
        heard = out.add_stream_from_template(sound.streams.audio[0])
        packets = [p for p in video.demux(video=0) if p.size]
        packets += [p for p in sound.demux(audio=0) if p.size and p.pts * p.time_base < 0.96]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            packet.stream = shown if packet.stream.type == "video" else heard
            out.mux(packet)
    return path


def sound_of(path: Path) -> list[bytes]:
    """The data of all audio packets."""
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size] if container.streams.audio else []


@pytest.fixture(scope="session")
def sound() -> Callable[[Path], list[bytes]]:
    """``sound(path)``: the data of all audio packets."""
    return sound_of


@pytest.fixture
def tiny() -> dict[str, object]:
    """Settings of a small encode: "faster", groups of eight, one thread."""
    return dict(TINY)
