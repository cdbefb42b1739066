"""Groups come back in order whatever finishes first; no more is read, run or kept than is said."""

import random
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import pytest

from nvcodec.engines.engine import InProcessEngine, make_engine
from nvcodec.engines.schedule import run_chains
from nvcodec.errors import InputError, UsageError
from tests.engines.fakes import Counter, CounterCodec, sequence, task


class Jumbled:
    """Jobs take random times."""

    def __init__(self, slots: int, seed: int = 0) -> None:
        self.slots, self.random = slots, random.Random(seed)
        self.running = self.most = 0
        self.futures: list[Future] = []
        self.lock = threading.Lock()

    def submit(self, job, on_status=None) -> Future:
        future: Future = Future()
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.futures.append(future)
        threading.Timer(self.random.random() * 0.006, self.finish, (job, future)).start()
        return future

    def finish(self, job, future: Future) -> None:
        with self.lock:
            self.running -= 1
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(CounterCodec().encode_group(job.frames, job.format, job.spec, None, job.previous))
        except Exception as error:
            future.set_exception(error)


def expected(keys: list[bool]) -> list[int]:
    counts: list[int] = []
    for number, key in enumerate(keys):
        counts.append(1 if key or not number else counts[-1] + 1)
    return counts


@pytest.mark.parametrize("seed", range(8))
def test_order_states_and_bounds(seed):
    choice = random.Random(seed)
    slots = choice.randint(1, 4)
    keys = [choice.random() < 0.35 for _ in range(25)]
    engine = Jumbled(slots, seed)
    yielded, windows = [-1], []

    def tasks():
        for number, key in enumerate(keys):
            chains = 1 + sum(keys[yielded[-1] + 2 : number])  # from the first not yielded to the last one read
            windows.append(chains if number > yielded[-1] + 1 else 0)
            yield task(number, key)

    for (done, payload), count in zip(run_chains(tasks(), engine, memory_mib=0), expected(keys), strict=True):
        assert done.tag == yielded[-1] + 1
        assert payload.config == bytes([count])
        yielded.append(done.tag)
        assert (done.job.frames == []) == (slots > 1)
    assert engine.most <= slots
    assert max(windows) <= slots


def test_the_same_from_any_number_of_slots():
    keys = [True, False, False, True, True, False, True]
    tasks = [task(number, key) for number, key in enumerate(keys)]
    alone = sequence(run_chains(tasks, InProcessEngine()))
    assert [tag for tag, *_ in alone] == list(range(7))
    assert sequence(run_chains(tasks, Jumbled(3), memory_mib=0.0003)) == alone


def test_one_slot_reads_one_task_at_a_time():
    read = []

    def tasks():
        for number in range(3):
            read.append(number)
            yield task(number, key=False)

    for count, (done, payload) in enumerate(run_chains(tasks(), InProcessEngine()), 1):
        assert len(read) == count
        assert payload.state == Counter(count)
        assert len(done.job.frames) == 2
        assert done.job.previous == (Counter(count - 1) if count > 1 else None)


def test_a_previous_state_of_the_callers_own_is_kept():
    first, second = task(0, key=False), task(1, key=False)
    first.job = replace(first.job, previous=Counter(7))
    second.job = replace(second.job, previous=Counter(20))
    assert [p.config[0] for _, p in run_chains([first, second], InProcessEngine())] == [8, 21]


@pytest.mark.parametrize("engine", [InProcessEngine(), Jumbled(3)])
def test_an_exception_comes_out_at_its_turn(engine):
    tasks = [task(0), task(1, False), task(2, model="raise"), task(3), task(4)]
    results = run_chains(tasks, engine)
    seen = []
    with pytest.raises(UsageError, match="asked for it"):
        for done, _ in results:
            seen.append(done.tag)
            time.sleep(0.01)
    assert seen == [0, 1]


@pytest.mark.parametrize("engine", [InProcessEngine(), Jumbled(3)])
def test_an_error_of_the_source_comes_out_at_its_turn(engine):
    def tasks():
        yield task(0)
        yield task(1, False)
        raise InputError("no more")

    seen = []
    with pytest.raises(InputError, match="no more"):
        for done, _ in run_chains(tasks(), engine):
            seen.append(done.tag)
    assert seen == [0, 1]


def test_ctrl_c_comes_out_at_once(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(CounterCodec, "encode_group", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(run_chains([task(0)], InProcessEngine()))


def test_a_closed_generator_cancels():
    engine = Jumbled(3)
    results = run_chains((task(number) for number in range(9)), engine)
    next(results)
    results.close()
    assert len(engine.futures) < 9
    assert all(future.done() for future in engine.futures)


def test_statuses_name_their_task():
    seen = []
    tasks = [task(0, model="report"), task(1, model="report")]
    list(run_chains(tasks, InProcessEngine(), lambda of, status: seen.append((of.tag, status.step))))
    assert {tag for tag, _ in seen} == {0, 1} and len(seen) == 120


def test_nothing_to_do():
    assert list(run_chains([], Jumbled(2))) == []


@pytest.mark.parametrize("wrong", [{"kind": "cloud"}, {"workers": 0}, {"threads": 0}])
def test_wrong_engines(wrong):
    with pytest.raises(UsageError):
        make_engine(**wrong)


def test_a_local_engine_of_one_worker_is_this_process():
    with make_engine("local", 1, 1, ()) as engine:
        assert isinstance(engine, InProcessEngine)
