import sys

import pytest

from nvcodec.errors import NvcodecError, UsageError
from nvcodec.study import ffmpeg
from nvcodec.study.ffmpeg import VARIABLE, complaint, ffmpeg_python, find_ffmpeg, run_ffmpeg


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No variable, no wheel, nothing on the path."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    ffmpeg._found.cache_clear()
    yield tmp_path
    ffmpeg._found.cache_clear()


def program(path, version):
    path.write_text(f"#!/bin/sh\necho ffmpeg version {version} Copyright\n")
    path.chmod(0o755)
    return path


def test_the_wheels_program_says_what_it_can():
    pytest.importorskip("imageio_ffmpeg")
    found = find_ffmpeg()
    assert found is find_ffmpeg()
    assert found.version[:1].isalnum()
    assert {"libx264", "ffv1"} <= found.encoders and "scale" in found.filters
    assert not {"=", "Video", "Encoders:"} & found.encoders
    assert "yuv420p" in found.pixel_formats("libx264")
    assert found.pixel_formats("no such encoder") == frozenset()


def test_none_at_all_is_told_how_to_get_one(bare):
    with pytest.raises(UsageError, match=r"pip install 'nvcodec\[study\]'"):
        find_ffmpeg()


def test_the_path_comes_last_and_the_variable_first(bare, monkeypatch):
    program(bare / "ffmpeg", "n1.0")
    assert find_ffmpeg().version == "n1.0"
    other = program(bare / "other", "2.2-static")
    monkeypatch.setenv(VARIABLE, str(other))
    assert (find_ffmpeg().version, find_ffmpeg().path) == ("2.2-static", str(other))


def test_a_variable_that_leads_nowhere_is_an_error(bare, monkeypatch):
    program(bare / "ffmpeg", "n1.0")
    monkeypatch.setenv(VARIABLE, str(bare / "absent"))
    with pytest.raises(UsageError, match="absent is no program"):
        find_ffmpeg()
    (bare / "mute").write_text("#!/bin/sh\nexit 1\n")
    (bare / "mute").chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(bare / "mute"))
    with pytest.raises(UsageError, match="no ffmpeg that runs"):
        find_ffmpeg()


def test_without_ffmpeg_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "ffmpeg", None)
    with pytest.raises(UsageError, match="ffmpeg-python"):
        ffmpeg_python()
    monkeypatch.setitem(sys.modules, "ffmpeg", pytest)  # another package of that name
    with pytest.raises(UsageError, match="ffmpeg-python"):
        ffmpeg_python()


def test_a_failure_says_why_in_one_line(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    with pytest.raises(NvcodecError, match="No such file") as caught:
        run_ffmpeg(
            [
                find_ffmpeg().path,
                "-hide_banner",
                "-nostdin",
                "-loglevel",
                "error",
                "-i",
                "absent.mp4",
                "-f",
                "null",
                "-",
            ]
        )
    assert "\n" not in str(caught.value) and "0x" not in str(caught.value)
    finished = run_ffmpeg([find_ffmpeg().path, "-hide_banner", "-version"])
    assert finished.command[0] == find_ffmpeg().path and "ffmpeg" in finished.stdout


def test_the_cause_is_the_first_line_that_is_no_warning():
    said = "Svt[info]: SVT\nA warning: x\n\n[libx264 @ 0x55] [enc @ 0x1] width not divisible by 2\nConversion failed!"
    assert complaint(said) == "width not divisible by 2"
    assert complaint("") == ""
