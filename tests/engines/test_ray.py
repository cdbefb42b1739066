"""Tasks of a Ray cluster give the bytes that one process gives."""

import builtins
import signal
import time
from dataclasses import replace

import pytest

from nvcodec.codecs.base import GroupSpec
from nvcodec.engines.engine import InProcessEngine, make_engine
from nvcodec.engines.job import GroupJob
from nvcodec.engines.ray_engine import RayEngine
from nvcodec.engines.schedule import Task, run_chains
from nvcodec.errors import UsageError, WorkerError
from nvcodec.format import VideoFormat
from tests.engines.fakes import gone, planes, read_pid, sequence, task


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    before = signal.getsignal(signal.SIGTERM)
    with make_engine("ray", 2, 1, ()) as engine:
        assert signal.getsignal(signal.SIGTERM) is before
        yield engine
    assert not ray.is_initialized()


def test_without_ray_one_is_told_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "ray":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'nvcodec\[ray\]'"):
        make_engine("ray", 1, 1, ())


def test_a_cluster_that_is_not_there():
    pytest.importorskip("ray")
    began = time.monotonic()
    with pytest.raises(UsageError, match="no Ray cluster at"):
        RayEngine(1, 1, address="127.0.0.1:1")
    assert time.monotonic() - began < 60


def test_a_fit_has_the_same_bytes(cluster):
    spec = GroupSpec(preset="faster")
    jobs = [GroupJob("nerv", planes(n, 32, 24, 16), VideoFormat(32, 24), spec, 1) for n in (1, 2)]
    tasks = [Task(job, True, number) for number, job in enumerate(jobs)]
    seen = []
    apart = run_chains(tasks, cluster, lambda of, status: seen.append((of.tag, status.step)))
    assert sequence(apart) == sequence(run_chains(tasks, InProcessEngine()))
    assert {tag for tag, _ in seen} == {0, 1}


def test_chains_survive_a_killed_worker(cluster, tmp_path):
    keys = [True, False, False, True, False]
    tasks = [task(number, key) for number, key in enumerate(keys)]
    expected = sequence(run_chains(tasks, InProcessEngine()))
    tasks[1].job = replace(tasks[1].job, spec=GroupSpec(model=f"die-once:{tmp_path / 'died'}"))
    assert sequence(run_chains(tasks, cluster)) == expected
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    ("model", "kind", "text"),
    [("raise", UsageError, "asked"), ("odd", RuntimeError, "Odd: one"), ("die", WorkerError, "died")],
)
def test_errors_come_out_at_their_turn(cluster, model, kind, text):
    results = run_chains([task(0), task(1, model=model), task(2)], cluster)
    assert next(results)[0].tag == 0
    with pytest.raises(kind, match=text):
        next(results)


def test_what_comes_back_can_be_written_to(cluster):
    ((_, payload),) = run_chains([task(0)], cluster)
    assert payload.state.digest() == (1).to_bytes(8, "big")


def test_a_closed_generator_ends_its_tasks(cluster, tmp_path):
    results = run_chains([task(0), task(1, model=f"sleep:{tmp_path / 'pid'}")], cluster)
    next(results)
    pid = read_pid(tmp_path / "pid")
    results.close()
    assert gone(pid, 10)
