"""Memory does not grow with the length of the video."""

from __future__ import annotations

import shutil

CODE = """
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nvcodec.encode(sys.argv[1], sys.argv[2], codec="nerv", quality=0, preset="faster", gof=8, threads=1)
encoded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nvcodec.decode(sys.argv[2], sys.argv[3], threads=1)
print(encoded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
MOST_KB = 60_000


def test_ten_times_the_length_takes_no_more_memory(make_clip, bikes, child, tmp_path):
    short = make_clip(bikes, 400, 272, 8)
    header, _, frames = short.read_bytes().partition(b"FRAME")
    long = tmp_path / "long.y4m"
    long.write_bytes(header + 10 * (b"FRAME" + frames))
    peaks = []
    for source in (short, long):
        run = child(CODE, source, tmp_path / "a.nvc", tmp_path / "a.y4m")
        assert run.returncode == 0, run.stderr
        peaks.append([int(word) for word in run.stdout.split()])
        shutil.rmtree(tmp_path / "a.nvc", ignore_errors=True)
        for name in ("a.nvc", "a.y4m"):
            (tmp_path / name).unlink()
    raw_kb = 80 * 400 * 272 * 6 // 1000  # what all phases of the long clip would take as float32
    assert raw_kb > 50_000
    for short_peak, long_peak in zip(*peaks, strict=True):
        assert long_peak - short_peak < raw_kb // 3
