"""``--workers``: the same file from any number of processes, whatever happens to them."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import nvcodec

SETTINGS = {"codec": "nirvana", "preset": "faster", "quality": 20, "gof": 4, "keyint": 8, "threads": 1}


@pytest.fixture(scope="module")
def clip(make_clip, carphone) -> Path:
    return make_clip(carphone, 32, 32, 20)


@pytest.fixture(scope="module")
def alone(clip, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("alone") / "a.nvc"
    nvcodec.encode(clip, path, **SETTINGS)
    return path.read_bytes()


def workers_of(parent: int) -> list[int]:
    """Processes below ``parent`` that run jobs."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"spawn_main" in command:
                found.append(int(child))
    return found


def test_two_workers_make_the_same_file(clip, alone, tmp_path):
    seen = []
    nvcodec.encode(clip, tmp_path / "a.nvc", workers=2, on_progress=seen.append, **SETTINGS)
    assert (tmp_path / "a.nvc").read_bytes() == alone
    assert seen[-1].frames_done == 20 and all(p.frames_done <= 20 for p in seen)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")
def test_a_killed_worker_changes_nothing(clip, alone, tmp_path):
    killed = []

    def kill_one() -> None:
        for _ in range(400):
            time.sleep(0.05)
            if found := workers_of(os.getpid()):
                time.sleep(2.5)  # so that it works on something
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
                return

    killer = threading.Thread(target=kill_one)
    killer.start()
    nvcodec.encode(clip, tmp_path / "a.nvc", workers=2, **SETTINGS)
    killer.join()
    assert killed and (tmp_path / "a.nvc").read_bytes() == alone


def test_ray_makes_the_same_file(clip, alone, tmp_path):
    pytest.importorskip("ray")
    nvcodec.encode(clip, tmp_path / "a.nvc", workers=2, engine="ray", **SETTINGS)
    assert (tmp_path / "a.nvc").read_bytes() == alone
