"""`--resume` alone goes on with the part's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

import nvcodec
from nvcodec.api.resume import adopt
from nvcodec.errors import ResumeError, UsageError


@pytest.fixture
def part(clip: Path, tmp_path: Path) -> Path:
    """OUT whose part holds the first of three groups."""
    target = tmp_path / "a.nvc"
    settings = {"codec": "hnerv", "preset": "faster", "quality": 10.0, "gof": 8, "threads": 1, "seed": 3}
    nvcodec.encode(clip, target, **settings)
    first = nvcodec.info(target)["groups"][0]
    with nvcodec.open(target) as video:
        end = video._reader.groups[0].offset + first["bytes"]
    (tmp_path / "whole.nvc").write_bytes(target.read_bytes())
    Path(f"{target}.part").write_bytes(target.read_bytes()[:end])
    target.unlink()
    return target


def test_what_is_not_given_is_the_parts(clip: Path, part: Path) -> None:
    nvcodec.encode(clip, part, resume=True)
    assert part.read_bytes() == (part.parent / "whole.nvc").read_bytes()


def test_what_is_given_must_agree(clip: Path, part: Path) -> None:
    for given, said in (({"quality": 20}, "quality"), ({"psnr": 30}, "psnr"), ({"gof": 4}, "gof")):
        with pytest.raises(ResumeError, match=said):
            nvcodec.encode(clip, part, resume=True, **given)


def test_nonsense_in_a_part_is_left_out(tmp_path: Path, part: Path) -> None:
    assert adopt(tmp_path / "none.nvc", {"quality": 5}) == {"quality": 5}
    Path(f"{part}.part").write_bytes(b"no part of ours")
    assert adopt(part, {"quality": 5}) == {"quality": 5}


def test_settings_of_other_types_are_left_out(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {"quality": [1], "gof": None, "seed": {"a": 1}, "threads": "many", "preset": "fast"}
    monkeypatch.setattr("nvcodec.api.resume._settings", lambda metadata: stored)
    assert adopt(part, {}) == {"preset": "fast", "device": "auto"}


def test_a_setting_that_does_not_exist_is_refused(part: Path) -> None:
    with pytest.raises(TypeError, match="qualty"):
        adopt(part, {"qualty": 5})


def test_an_nvc_file_has_no_name_of_a_video(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name of a video"):
        nvcodec.encode(clip, tmp_path / "a.mp4")
