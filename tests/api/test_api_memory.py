"""Memory does not grow with the length of the video."""

from __future__ import annotations

from pathlib import Path

from eval.memory import peaks

WIDTH, HEIGHT, GROUP, SHORT, LONG = 400, 272, 16, 6, 40  # pixels, frames a group, groups
TRIES = 3


def test_memory_does_not_grow_with_the_length(make_clip, bikes, monkeypatch, tmp_path):
    """The bound is a quarter of what the extra frames take as 8-bit planes: even one copy kept would pass it.

    The short clip has some groups, too: the first ones warm the allocator up, which returns here what is freed. What is
    left of the allocator's spread comes and goes from run to run, what is kept does not: the least growth counts.
    """
    monkeypatch.setenv("NVCODEC_NO_MALLOC_TUNING", "1")
    header, _, frames = make_clip(bikes, WIDTH, HEIGHT, GROUP).read_bytes().partition(b"FRAME")

    def measured(groups: int) -> dict[str, int]:
        clip = Path(tmp_path / f"{groups}.y4m")
        clip.write_bytes(header + groups * (b"FRAME" + frames))
        return peaks(clip, tmp_path / clip.stem, steps=1, gof=GROUP)

    raw = (LONG - SHORT) * GROUP * WIDTH * HEIGHT * 3 // 2
    assert raw > 60e6
    grown = {"encode": raw, "decode": raw}
    for _ in range(TRIES):
        short, long = measured(SHORT), measured(LONG)
        grown = {name: min(grown[name], long[name] - short[name]) for name in grown}
        if max(grown.values()) < raw // 4:
            return
    raise AssertionError(f"peaks grew by {grown} bytes over {raw} bytes of frames")
