"""Memory does not grow with the length of the video."""

from __future__ import annotations

from pathlib import Path

from eval.memory import peaks

WIDTH, HEIGHT, GROUP, SHORT, LONG = 400, 272, 16, 6, 40  # pixels, frames a group, groups


def test_memory_does_not_grow_with_the_length(make_clip, bikes, monkeypatch, tmp_path):
    """The bound is a quarter of what the extra frames take as 8-bit planes: even one copy kept would pass it.

    The short clip has some groups, too: the first ones warm the allocator up, which returns here what is freed.
    """
    monkeypatch.setenv("NVCODEC_NO_MALLOC_TUNING", "1")
    header, _, frames = make_clip(bikes, WIDTH, HEIGHT, GROUP).read_bytes().partition(b"FRAME")

    def measured(groups: int) -> dict[str, int]:
        clip = Path(tmp_path / f"{groups}.y4m")
        clip.write_bytes(header + groups * (b"FRAME" + frames))
        return peaks(clip, tmp_path / clip.stem, steps=1, gof=GROUP)

    short, long = measured(SHORT), measured(LONG)
    raw = (LONG - SHORT) * GROUP * WIDTH * HEIGHT * 3 // 2
    assert raw > 60e6
    for name in ("encode", "decode"):
        assert long[name] - short[name] < raw // 4, (name, short, long)
