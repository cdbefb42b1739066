"""The command line with a stand-in for the API, and in fresh processes with the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nvcodec
from nvcodec.api.decoding import DecodeResult
from nvcodec.api.inspect import VerifyReport
from nvcodec.api.results import EncodeResult
from nvcodec.api.settings import Progress
from nvcodec.cli import main

ROOT = Path(__file__).resolve().parents[2]


class Ran(SimpleNamespace):
    """Exit code and both streams of a command line."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Api:
    """Stands in for the public calls: remembers what it was given; ``fails`` and ``answers`` say what comes back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.fails: dict[str, BaseException] = {}
        self.answers: dict[str, Any] = {
            "encode": EncodeResult("o.nvc", 3000, 2500, 8, 2, 0.5, 33.333, 2.0, True, 2400.0, 2390),
            "decode": DecodeResult("o.mp4", 8, 2.0, 4.0),
            "verify": VerifyReport(5, 2, 2, 2),
            "evaluate": {"bytes": 3000, "video_bytes": 2500, "bpp": 0.5, "psnr_yuv": 33.0, "psnr_rgb": 30.0,
                         "ms_ssim": None, "frames": 8, "decode_fps": 40.0},
        }  # fmt: skip

    def call(self, name: str) -> Callable[..., Any]:
        def stand_in(*positional: Any, **named: Any) -> Any:
            self.calls.append((name, positional, named))
            report = named.get("on_progress")
            if report is not None:
                for done in (0, 4, 8):
                    report(Progress(done, 8, done // 4, psnr=30.0 + done, predicted_bytes=3000, seconds=done / 4))
            if name in self.fails:
                raise self.fails[name]
            return self.answers[name]

        return stand_in

    @property
    def named(self) -> dict[str, Any]:
        """Keyword arguments of the last call."""
        return self.calls[-1][2]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    fake = Api()
    for name in ("encode", "decode", "evaluate", "info", "verify"):
        monkeypatch.setattr(nvcodec, name, fake.call(name), raising=False)
    return fake


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """``cli("encode", ...)`` in this process, at 80 columns, without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("NVCODEC_DEBUG", raising=False)

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Ran(code=code, out=out, err=err)

    return call


def fresh(*arguments: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """The command line in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    options = {"capture_output": True, "text": True, "timeout": 300, **options}
    return subprocess.run([sys.executable, "-m", "nvcodec", *arguments], env=environment, **options)


@pytest.fixture(scope="session")
def run_fresh() -> Callable[..., subprocess.CompletedProcess[Any]]:
    return fresh
