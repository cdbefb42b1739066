"""What cannot be read or written: one clear line of the right class, and nothing lost or left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

import nvcodec
from nvcodec.errors import InputError, NvcodecError, OutputError, UsageError

pytestmark = pytest.mark.usefixtures("few_steps")


def refuses(kind: type[NvcodecError], words: str | None, call, *arguments: object, **settings: object) -> None:
    with pytest.raises(kind, match=words) as caught:
        call(*arguments, **settings)
    assert "\n" not in str(caught.value)


def test_sources_that_are_no_video(clip, bunny, tmp_path, tiny):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video here\n" * 50)
    (tmp_path / "none.y4m").write_bytes(clip.read_bytes().partition(b"FRAME")[0])
    (tmp_path / "cut.y4m").write_bytes(clip.read_bytes()[:300])
    with av.open(str(bunny)) as source, av.open(str(tmp_path / "sound.mka"), "w", format="matroska") as out:
        track = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = track
                out.mux(packet)
    before = set(tmp_path.iterdir())
    for name in ("missing.mp4", "empty.mp4", "text.mp4", "none.y4m", "cut.y4m", "sound.mka", "."):
        refuses(InputError, None, nvcodec.encode, tmp_path / name, tmp_path / "out.nvc", **tiny)
    assert set(tmp_path.iterdir()) == before
    for call in (nvcodec.info, nvcodec.verify, nvcodec.open, lambda p: nvcodec.decode(p, tmp_path / "a.mkv")):
        refuses(InputError, "no such file", call, tmp_path / "missing.nvc")
        refuses(InputError, "folder", call, tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_an_unreadable_source(clip, tiny, tmp_path, monkeypatch):
    path = tmp_path / "secret.y4m"
    shutil.copy(clip, path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refuses(InputError, "permission denied", nvcodec.encode, path, tmp_path / "a.nvc", **tiny)
    refuses(InputError, "permission denied", nvcodec.info, path)


def test_a_disk_that_fails_while_reading(coded, monkeypatch, tmp_path):
    from nvcodec.container.source import Source

    def broken(self: Source, file) -> None:
        self.file, self.size, self.bytes_read, self._budget = file, 10**6, 0, 10**6
        file.close()
        self.file = open("/proc/self/mem", "rb")  # noqa: SIM115

    if not Path("/proc/self/mem").exists():
        pytest.skip("needs a file whose reads fail")
    monkeypatch.setattr(Source, "__init__", broken)
    refuses(InputError, "cannot read", nvcodec.info, coded)


def test_interlaced_is_refused_with_a_hint(clip, tiny, tmp_path):
    path = tmp_path / "i.y4m"
    path.write_bytes(clip.read_bytes().replace(b" Ip", b" It", 1))
    refuses(InputError, "interlaced.*bwdif", nvcodec.encode, path, tmp_path / "a.nvc", **tiny)


def test_alpha_is_dropped_with_a_warning(tiny, tmp_path):
    with av.open(str(tmp_path / "alpha.mkv"), "w") as out:
        stream = out.add_stream("ffv1", 25, width=32, height=32, pix_fmt="yuva420p")
        for value in (20, 90):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 4), value, np.uint8), "rgba").reformat(
                format="yuva420p"
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    result = nvcodec.encode(tmp_path / "alpha.mkv", tmp_path / "a.nvc", **tiny)
    assert any("alpha" in warning for warning in result.warnings)


def test_pictures_that_readers_would_refuse(clip, tmp_path):
    path = tmp_path / "huge.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W8192 H8192 F25:1 Ip A1:1 C420mpeg2\nFRAME\n")
        file.truncate(file.tell() + 8192 * 8192 * 3 // 2)
    refuses(InputError, "8192x8192", nvcodec.encode, path, tmp_path / "a.nvc")
    assert not (tmp_path / "a.nvc.part").exists()


def test_targets_that_cannot_be(clip, coded, tiny, tmp_path):
    for call, source, name in ((nvcodec.encode, clip, "a.nvc"), (nvcodec.decode, coded, "a.mkv")):
        settings = tiny if call is nvcodec.encode else {}
        refuses(OutputError, "no folder", call, source, tmp_path / "no" / name, **settings)
        refuses(OutputError, "folder, not a file", call, source, tmp_path, **settings)
        (tmp_path / name).write_bytes(b"precious")
        refuses(UsageError, "-y", call, source, tmp_path / name, **settings)
        assert (tmp_path / name).read_bytes() == b"precious"
        same = tmp_path / f"same{Path(name).suffix}"
        shutil.copy(source, same)
        refuses(UsageError, "same file", call, same, same, overwrite=True, **settings)
        (tmp_path / "link.mkv").unlink(missing_ok=True)
        (tmp_path / "link.mkv").symlink_to(same)
        refuses(UsageError, "same file", call, tmp_path / "link.mkv", same, overwrite=True, **settings)
    refuses(UsageError, "format", nvcodec.decode, coded, tmp_path / "a.gif")
    refuses(UsageError, "y4m", nvcodec.decode, coded, tmp_path / "b.y4m", vcodec="h264")
    refuses(UsageError, "encoder", nvcodec.decode, coded, tmp_path / "b.mkv", vcodec="nonsense")
    assert not list(tmp_path.glob("b.*"))


def test_a_part_that_cannot_be_opened(clip, tiny, tmp_path):
    (tmp_path / "a.nvc.part").mkdir()
    refuses(OutputError, None, nvcodec.encode, clip, tmp_path / "a.nvc", overwrite=True, **tiny)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_and_a_bottomless_one(clip, tiny):
    refuses(OutputError, "[Nn]o space|full", nvcodec.encode, clip, "/dev/full", **tiny)
    assert nvcodec.encode(clip, "/dev/null", **tiny).frames == 24
    assert Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()
    assert not Path("/dev/null.part").exists()


FULL = """
import resource, signal
from nvcodec.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    if sys.argv[1].endswith(".nvc"):
        nvcodec.decode(sys.argv[1], sys.argv[2])
    else:
        nvcodec.encode(sys.argv[1], sys.argv[2], quality=10, codec="hnerv", preset="faster", gof=8, threads=1)
except OutputError as error:
    print(error)
"""


def test_a_disk_that_fills_up_keeps_the_whole_groups(clip, coded, child, tiny, tmp_path):
    first = nvcodec.info(coded)["groups"][0]["bytes"]
    run = child(FULL, clip, tmp_path / "a.nvc", first + first // 2)
    assert run.returncode == 0 and run.stdout.count(b"\n") == 1 and b"cannot write" in run.stdout
    assert len(nvcodec.info(tmp_path / "a.nvc.part")["groups"]) == 1
    nvcodec.encode(clip, tmp_path / "a.nvc", resume=True, quality=10, **tiny)
    assert (tmp_path / "a.nvc").read_bytes() == coded.read_bytes()


@pytest.mark.parametrize("name", ["a.mp4", "a.y4m"])
def test_a_disk_that_fills_up_while_decoding(coded, child, name, tmp_path):
    run = child(FULL, coded, tmp_path / name, 6000)
    assert run.returncode == 0 and run.stdout.count(b"\n") == 1, run.stderr
    assert not list(tmp_path.iterdir())


WRONG = [
    {"quality": 64}, {"quality": -1}, {"quality": float("nan")}, {"bpp": 0}, {"size": 10}, {"psnr": 200},
    {"time_budget": 0}, {"gof": 0}, {"gof": 5000}, {"seed": -1}, {"threads": 0}, {"preset": "fastest"},
    {"codec": "h264"}, {"device": "tpu"}, {"model": "xl"}, {"codec": "hnerv", "model": "s"},
    {"size": 9000, "bpp": 1.0}, {"quality": 3, "psnr": 30.0},
    {"preset": "fast", "time_budget": 60.0},
]  # fmt: skip


@pytest.mark.parametrize("settings", WRONG, ids=str)
def test_settings_out_of_range(clip, settings, tmp_path):
    refuses(UsageError, None, nvcodec.encode, clip, tmp_path / "a.nvc", **settings)
    assert not list(tmp_path.iterdir())


def test_only_what_can_seek_is_listed_and_measured(clip):
    for call in (nvcodec.info, nvcodec.verify, nvcodec.open, lambda name: nvcodec.evaluate(clip, name)):
        refuses(UsageError, "file", call, "-")
    refuses(UsageError, "threads", nvcodec.evaluate, clip, clip, threads=0)
