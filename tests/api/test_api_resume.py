"""What survives a kill, and when going on is refused."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

import nvcodec
from nvcodec.errors import FormatError, InputError, ResumeError, UsageError

pytestmark = pytest.mark.usefixtures("few_steps")

SLOW = """
import time
from nvcodec.fitting import fit
step = fit._Fit.step
def slow(self, progress):
    time.sleep(0.02)
    step(self, progress)
fit._Fit.step = slow
settings = {"codec": "hnerv", "quality": 10, "preset": "faster", "gof": 4, "threads": 1}
nvcodec.encode(sys.argv[1], sys.argv[2], **settings, resume="resume" in sys.argv)
"""
SETTINGS = {"codec": "hnerv", "quality": 10, "preset": "faster", "gof": 4, "threads": 1}


@pytest.fixture(scope="module")
def whole(talkie, tmp_path_factory) -> Path:
    """The talkie in six groups of four, unbroken."""
    from nvcodec.codecs import sizing

    path = tmp_path_factory.mktemp("whole") / "whole.nvc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizing.FEWEST_STEPS, "faster", 6)
        patch.setitem(sizing.EPOCHS, "faster", 0)
        nvcodec.encode(talkie, path, **SETTINGS)
    return path


class Stop(Exception):
    pass


def interrupt_after(groups: int, error: type[BaseException] = Stop):
    """A progress callback that stops the encode in the middle of the group behind ``groups``."""

    def on_progress(progress: nvcodec.Progress) -> None:
        if progress.group >= groups and progress.group_progress > 0:
            raise error

    return on_progress


@pytest.fixture(autouse=True)
def every_step_reports(monkeypatch):
    monkeypatch.setattr("nvcodec.api.reporting.REPORT_EVERY", 0.0)


@pytest.mark.parametrize("groups", [1, 3, 5])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_stopped_encode_is_a_shorter_video_and_goes_on_to_the_same_bytes(whole, talkie, groups, error, tmp_path):
    target, part = tmp_path / "a.nvc", tmp_path / "a.nvc.part"
    with pytest.raises(error):
        nvcodec.encode(talkie, target, on_progress=interrupt_after(groups, error), **SETTINGS)
    assert not target.exists()
    found = nvcodec.info(part)
    assert found["truncated"] and len(found["groups"]) == groups
    result = nvcodec.decode(part, tmp_path / "part.mkv")
    assert result.truncated and result.frames == 4 * groups and not result.damaged
    nvcodec.encode(talkie, target, resume=True, **SETTINGS)
    assert target.read_bytes() == whole.read_bytes()
    assert not part.exists()


def test_stopped_before_the_first_group_nothing_is_left(talkie, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        nvcodec.encode(talkie, tmp_path / "a.nvc", on_progress=interrupt_after(0, KeyboardInterrupt), **SETTINGS)
    assert not list(tmp_path.iterdir())


def test_from_any_byte_the_same_bytes(whole, talkie, tmp_path):
    """However much of the file had reached the disk, index and tail included."""
    data = whole.read_bytes()
    lengths = [0, 5, 40, 90, 300, len(data) // 2, len(data) - 40]
    for length in [*lengths, len(data)]:
        target = tmp_path / f"{length}.nvc"
        (tmp_path / f"{length}.nvc.part").write_bytes(data[:length])
        result = nvcodec.encode(talkie, target, resume=True, **SETTINGS)
        assert target.read_bytes() == data, f"from {length} of {len(data)} bytes"
        assert result.bytes == len(data) and result.frames == 24


def test_a_torn_end_is_cut_off(whole, talkie, tmp_path):
    """After a power cut a file may have its length but not its bytes."""
    data = whole.read_bytes()
    for keep in (len(data) // 2, len(data) * 3 // 4):
        part = tmp_path / "a.nvc.part"
        part.write_bytes(data[:keep] + bytes(len(data) * 7 // 8 - keep))
        nvcodec.encode(talkie, tmp_path / "a.nvc", resume=True, overwrite=True, **SETTINGS)
        assert (tmp_path / "a.nvc").read_bytes() == data


def test_sigkill_at_any_moment(whole, talkie, start, tmp_path):
    target, part = tmp_path / "a.nvc", tmp_path / "a.nvc.part"
    groups = 0
    for wait in (1, 3):  # groups that are added before the next kill
        arguments = ["resume"] if part.exists() else []
        process = start(SLOW, talkie, target, *arguments)
        wanted = min(5, groups + wait)
        while process.poll() is None and count_groups(part) < wanted:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert count_groups(part) >= groups
        groups = count_groups(part)
    nvcodec.decode(part, tmp_path / "part.y4m")
    nvcodec.encode(talkie, target, resume=True, **SETTINGS)
    assert target.read_bytes() == whole.read_bytes()


def count_groups(part: Path) -> int:
    try:
        return len(nvcodec.info(part)["groups"])
    except (FormatError, InputError):
        return 0


CHANGES = [
    ({"quality": 20}, "quality was 10, is 20"),
    ({"gof": 8}, "gof was 4, is 8"),
    ({"threads": 2}, "threads was 1, is 2"),
    ({"seed": 3}, "seed was 0, is 3"),
    ({"preset": "fast"}, "preset was faster, is fast"),
    ({"codec": "nerv"}, "codec was hnerv, is nerv"),
    ({"audio": False}, "audio was True, is False"),
    ({"quality": None, "psnr": 30.0}, "psnr was not given, is 30"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_other_settings_are_refused_by_name(whole, talkie, change, words, tmp_path):
    part = tmp_path / "a.nvc.part"
    shutil.copy(whole, part)
    with pytest.raises(ResumeError, match=words) as caught:
        nvcodec.encode(talkie, tmp_path / "a.nvc", resume=True, **{**SETTINGS, **change})
    assert "\n" not in str(caught.value)
    assert part.read_bytes() == whole.read_bytes()


def test_another_source_is_refused(whole, talkie, clip, tmp_path):
    shutil.copy(whole, tmp_path / "a.nvc.part")
    with pytest.raises(ResumeError, match="source"):
        nvcodec.encode(clip, tmp_path / "a.nvc", resume=True, **SETTINGS)
    shutil.copy(talkie, tmp_path / "moved.mkv")  # the same bytes elsewhere are the same source
    nvcodec.encode(tmp_path / "moved.mkv", tmp_path / "a.nvc", resume=True, **SETTINGS)
    assert (tmp_path / "a.nvc").read_bytes() == whole.read_bytes()


def test_a_part_is_neither_missed_nor_overwritten(whole, talkie, tmp_path):
    part = tmp_path / "a.nvc.part"
    with pytest.raises(ResumeError, match="nothing to resume"):
        nvcodec.encode(talkie, tmp_path / "a.nvc", resume=True, **SETTINGS)
    shutil.copy(whole, part)
    with pytest.raises(ResumeError, match="--resume"):
        nvcodec.encode(talkie, tmp_path / "a.nvc", **SETTINGS)
    assert part.read_bytes() == whole.read_bytes()
    nvcodec.encode(talkie, tmp_path / "a.nvc", overwrite=True, **SETTINGS)
    assert (tmp_path / "a.nvc").read_bytes() == whole.read_bytes()
    other = tmp_path / "b.nvc.part"
    other.write_bytes(b"something else that is not ours")
    with pytest.raises(FormatError):
        nvcodec.encode(talkie, tmp_path / "b.nvc", resume=True, **SETTINGS)
    assert other.read_bytes() == b"something else that is not ours"


def test_the_part_is_never_its_own_source(clip, tmp_path):
    source = tmp_path / "a.nvc.part"
    shutil.copy(clip, source)
    with pytest.raises(UsageError, match=r"a\.nvc\.part"):
        nvcodec.encode(source, tmp_path / "a.nvc", overwrite=True, **SETTINGS)
    assert source.read_bytes() == clip.read_bytes()


def test_a_stopped_decode_leaves_nothing(whole, tmp_path):
    def stop(progress: nvcodec.Progress) -> None:
        if progress.frames_done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nvcodec.decode(whole, tmp_path / "a.mkv", on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_size_goal_goes_on_to_the_same_bytes(talkie, sound, tmp_path):
    settings = {**SETTINGS, "quality": None, "codec": "nerv", "size": sum(map(len, sound(talkie))) + 16000}
    unbroken = nvcodec.encode(talkie, tmp_path / "a.nvc", **settings)
    with pytest.raises(Stop):
        nvcodec.encode(talkie, tmp_path / "b.nvc", on_progress=interrupt_after(3), **settings)
    result = nvcodec.encode(talkie, tmp_path / "b.nvc", resume=True, **settings)
    assert (tmp_path / "b.nvc").read_bytes() == (tmp_path / "a.nvc").read_bytes()
    assert result.goal_met and unbroken.goal_met


def test_two_encodes_to_one_target(talkie, tmp_path):
    """The second is refused at once and changes nothing, whatever it was told."""
    target, part, seen = tmp_path / "a.nvc", tmp_path / "a.nvc.part", []

    def try_another(progress: nvcodec.Progress) -> None:
        if progress.group != 2 or seen:
            return
        before = part.read_bytes()
        for how in ({}, {"overwrite": True}, {"resume": True}, {"resume": True, "quality": 20}):
            with pytest.raises(ResumeError, match="another encode is writing") as caught:
                nvcodec.encode(talkie, target, **{**SETTINGS, **how})
            seen.append(str(caught.value))
        assert part.read_bytes() == before

    nvcodec.encode(talkie, target, on_progress=try_another, **SETTINGS)
    assert len(seen) == 4 and nvcodec.verify(target).ok and not part.exists()


def test_each_group_reaches_the_disk(talkie, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda number: synced.append(os.fstat(number).st_size))
    nvcodec.encode(talkie, tmp_path / "a.nvc", **SETTINGS)
    assert len(synced) == 7 and sorted(set(synced)) == synced  # six groups, and the index before the name
    assert synced[-1] == (tmp_path / "a.nvc").stat().st_size


def test_settings_are_compared_as_they_were_resolved(talkie, tmp_path, monkeypatch):
    """Defaults that are spelt out are the same settings; another machine's arithmetic is not."""
    short = {"codec": "hnerv", "preset": "faster", "threads": 1}
    monkeypatch.setattr("nvcodec.api.families.default_gof", lambda form: 8)
    whole = nvcodec.encode(talkie, tmp_path / "whole.nvc", **short)
    data = Path(whole.path).read_bytes()
    part = tmp_path / "a.nvc.part"
    part.write_bytes(data[: len(data) * 2 // 3])  # more than the first group
    nvcodec.encode(talkie, tmp_path / "a.nvc", resume=True, quality=32, gof=8, **short)
    assert (tmp_path / "a.nvc").read_bytes() == data
    part.write_bytes(data)
    there = "fp32" if nvcodec.hardware.fast_precision("cpu") == "bf16" else "bf16"
    monkeypatch.setattr("nvcodec.api.encoding.fast_precision", lambda device: there)
    monkeypatch.setattr("nvcodec.api.encoding.pick_device", lambda wish: "cuda:0")
    monkeypatch.setattr("torch.__version__", "1.99.0")
    with pytest.raises(ResumeError, match=r"device was cpu, is cuda; precision was \w+, is \w+; torch was .*1\.99"):
        nvcodec.encode(talkie, tmp_path / "a.nvc", resume=True, overwrite=True, **short)
    assert part.read_bytes() == data
