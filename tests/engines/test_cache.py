"""What was done once is not done again; what is damaged is as good as not done."""

from dataclasses import fields, replace

import pytest

from nvcodec.codecs.base import GroupSpec
from nvcodec.engines.cache import CachedEngine, JobCache
from nvcodec.engines.engine import InProcessEngine, make_engine
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.engines.schedule import run_chains
from nvcodec.errors import OutputError
from nvcodec.format import VideoFormat
from tests.engines.fakes import Counter, CounterCodec, planes, sequence, task


@pytest.fixture
def calls(monkeypatch):
    """The groups that were really coded."""
    seen, encode = [], CounterCodec.encode_group

    def counted(self, *arguments):
        seen.append(arguments)
        return encode(self, *arguments)

    monkeypatch.setattr(CounterCodec, "encode_group", counted)
    return seen


TASKS = [task(number, key) for number, key in enumerate([True, False, False, True, False])]


def test_a_second_run_codes_nothing(tmp_path, calls):
    with make_engine(folder=tmp_path / "new" / "jobs") as engine:
        first = sequence(run_chains(TASKS, engine))
        assert len(calls) == 5
        assert sequence(run_chains(TASKS, engine)) == first
        assert len(calls) == 5


def test_everything_comes_back(tmp_path):
    job = GroupJob("nerv", planes(1, 16, 16, 2), VideoFormat(16, 16), GroupSpec(preset="faster", seconds=0.05), 1)
    payload = run_in_process(job)
    payload = replace(payload, psnr=float("inf"), notes={"quality": 0.1})
    cache = JobCache(tmp_path)
    path = cache.path(job)
    assert cache.load(path, job) is None
    cache.store(path, payload)
    again = cache.load(path, job)
    for field in fields(payload):
        if field.name != "state":
            assert getattr(again, field.name) == getattr(payload, field.name), field.name
    assert (again.state and again.state.digest()) == (payload.state and payload.state.digest())
    assert [file.name for file in tmp_path.iterdir()] == [f"{job.name()}.job"]


def test_states_are_decoded_again(tmp_path):
    job = replace(TASKS[1].job, previous=Counter(4))
    cache = JobCache(tmp_path)
    cache.store(cache.path(job), run_in_process(job))
    assert cache.load(cache.path(job), job).state == Counter(5)
    other = replace(job, previous=Counter(6))
    assert cache.load(cache.path(other), other) is None
    assert cache.load(cache.path(job), other) is None  # a state that is not the one that was left


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "grown"])
def test_damage_is_done_again(tmp_path, calls, damage):
    with CachedEngine(InProcessEngine(), JobCache(tmp_path)) as engine:
        expected = sequence(run_chains(TASKS[:1], engine))
        (path,) = tmp_path.iterdir()
        data = bytearray(path.read_bytes())
        data[-9] ^= damage == "flip"
        path.write_bytes({"cut": data[:-1], "flip": data, "empty": b"", "grown": data + b"\0"}[damage])
        assert sequence(run_chains(TASKS[:1], engine)) == expected
        assert len(calls) == 2
        assert sequence(run_chains(TASKS[:1], engine)) == expected
        assert len(calls) == 2


def test_a_folder_that_has_gone_is_no_failure(tmp_path, calls):
    folder = tmp_path / "jobs"
    cache = JobCache(folder)
    folder.rmdir()
    with CachedEngine(InProcessEngine(), cache) as engine:
        assert len(sequence(run_chains(TASKS, engine))) == 5


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        JobCache(tmp_path / "file" / "jobs")
