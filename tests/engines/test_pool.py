"""Processes give the bytes that one gives, survive each other's deaths, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nvcodec.codecs.base import GroupSpec
from nvcodec.engines.engine import InProcessEngine, make_engine
from nvcodec.engines.job import GroupJob
from nvcodec.engines.pool import PoolEngine
from nvcodec.engines.schedule import Task, run_chains
from nvcodec.errors import UsageError, WorkerError
from nvcodec.format import VideoFormat
from tests.engines.fakes import gone, planes, read_pid, sequence, task

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pool():
    """Two workers, for tests that leave them as they were."""
    with make_engine("local", 2, 1, ()) as engine:
        assert isinstance(engine, PoolEngine)
        yield engine


def test_a_fit_has_the_same_bytes(pool):
    spec = GroupSpec(preset="faster", seconds=None)
    jobs = [GroupJob("nerv", planes(n, 32, 24, 16), VideoFormat(32, 24), spec, 1) for n in (1, 2)]
    tasks = [Task(job, True, number) for number, job in enumerate(jobs)]
    seen = []
    alone = list(run_chains(tasks[:1], InProcessEngine()))
    apart = list(run_chains(tasks, pool, lambda of, status: seen.append((of.tag, status.step))))
    assert sequence(apart)[:1] == sequence(alone)
    for name in ("symbol_hash", "picture_hash", "psnr", "steps", "notes"):
        assert getattr(apart[0][1], name) == getattr(alone[0][1], name)
    assert {tag for tag, _ in seen} == {0, 1}


def test_chains_are_the_same_as_in_one_process(pool):
    tasks = [task(number, key) for number, key in enumerate([True, False, False, True, True, False])]
    assert sequence(run_chains(tasks, pool)) == sequence(run_chains(tasks, InProcessEngine()))


@pytest.mark.parametrize(("model", "kind", "text"), [("raise", UsageError, "asked"), ("odd", RuntimeError, "Odd: one")])
def test_errors_of_a_job_come_out_at_their_turn(pool, model, kind, text):
    results = run_chains([task(0), task(1, model=model), task(2)], pool)
    assert next(results)[0].tag == 0
    with pytest.raises(kind, match=text):
        next(results)


def test_statuses_come_seldom_and_never_late(pool):
    seen = []
    pool.submit(task(0, model="report").job, seen.append).result()
    told = len(seen)
    assert 2 <= told <= 8 and seen[0].step == 0  # 60 reports in 0.6 s
    time.sleep(0.1)
    assert len(seen) == told


def test_an_error_of_the_listener_is_the_jobs(pool):
    def listen(status):
        raise UsageError("enough")

    with pytest.raises(UsageError, match="enough"):
        pool.submit(task(0, model="report").job, listen).result()


def test_a_cancelled_job_frees_its_worker(pool, tmp_path):
    pid_file = tmp_path / "pid"
    results = run_chains([task(0), task(1, model=f"sleep:{pid_file}"), task(2)], pool)
    next(results)
    pid = read_pid(pid_file)
    results.close()
    assert gone(pid)
    assert len(sequence(run_chains([task(3), task(4)], pool))) == 2


def test_a_killed_worker_changes_nothing(pool, tmp_path):
    keys = [True, False, False, True, False]
    tasks = [task(number, key) for number, key in enumerate(keys)]
    expected = sequence(run_chains(tasks, InProcessEngine()))
    tasks[1].job = replace(tasks[1].job, spec=GroupSpec(model=f"die-once:{tmp_path / 'died'}"))
    assert sequence(run_chains(tasks, pool)) == expected
    assert (tmp_path / "died").exists()


def test_a_worker_killed_while_idle_is_replaced(tmp_path):
    with PoolEngine(1) as engine:
        engine.submit(task(0, model=f"pid:{tmp_path / 'pid'}").job).result()
        pid = read_pid(tmp_path / "pid")
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert engine.submit(task(1).job).result().config == b"\x01"


def test_a_job_that_kills_every_worker_is_given_up(pool):
    results = run_chains([task(0), task(1, model="die"), task(2)], pool)
    assert next(results)[0].tag == 0
    with pytest.raises(WorkerError, match="killed 3 times"):
        next(results)


def test_workers_take_the_devices_in_turn():
    with PoolEngine(1, 1, ["meta"]) as engine:
        payload = engine.submit(task(0).job).result()
    assert payload.units[0].payload.endswith(b"meta")


def test_closing_ends_running_jobs(tmp_path):
    files = [tmp_path / "0", tmp_path / "1"]
    engine = PoolEngine(2)
    futures = [engine.submit(task(0, model=f"sleep:{file}").job) for file in files]
    waiting = engine.submit(task(1).job)
    pids = [read_pid(file) for file in files]
    os.kill(pids[0], signal.SIGINT)  # workers leave Ctrl-C to their parent
    time.sleep(0.1)
    assert not gone(pids[0], 0)
    began = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - began < 5
    assert all(gone(pid, 0.5) for pid in pids)
    assert all(future.cancelled() for future in (*futures, waiting))
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(task(1).job)


PARENT = """
import sys
from tests.engines.fakes import register_counter, task
from nvcodec.engines.pool import PoolEngine
if __name__ == "__main__":
    register_counter()
    engine = PoolEngine(1)
    for path in sys.argv[1:]:
        engine.submit(task(0, model=f"sleep:{path}").job)
    engine.submit(task(1).job).result()
"""


def test_a_killed_parent_leaves_no_worker(tmp_path):
    script, pid_file = tmp_path / "parent.py", tmp_path / "pid"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(pid_file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    pid = read_pid(pid_file)
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text("if __name__ != '__main__':\n    raise RuntimeError\n" + PARENT)  # as a second start does
    run = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert "workers cannot start" in run.stderr and run.returncode == 1
