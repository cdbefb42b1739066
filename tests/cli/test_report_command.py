"""``nvcodec report`` as a user calls it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvcodec.study.failures import read_failures
from nvcodec.study.rows import Row


def rows(codec, configuration, family, factor, clip="a.mp4"):
    return [
        Row(clip, codec, configuration, f"q{i}", factor * 0.01 * 2**i, f"{clip} {codec} {configuration} {i}",
            family=family, frames=3, psnr_yuv=30.0 + 3 * i, vmaf=60.0 + 9 * i, encode_seconds=3.0, decode_fps=20.0)
        for i in range(4)
    ]  # fmt: skip


def write(path, rows, end=""):
    path.write_text("".join(json.dumps(row.as_dict()) + "\n" for row in rows) + end)
    return str(path)


@pytest.fixture
def results(tmp_path):
    failed = Row("a.mp4", "hnerv", "fast", "q9", 0.0, "failed", family="fitted", error="out of memory")
    mended = Row("a.mp4", "hnerv", "fast", "q0", 0.0, rows("hnerv", "fast", "fitted", 3)[0].key, error="once")
    ours = [mended, *rows("hnerv", "fast", "fitted", 3.0), failed]
    return write(tmp_path / "a.jsonl", ours, '{"cut sho'), write(tmp_path / "b.jsonl", rows("x265", "medium", "", 1))


def test_a_page_from_two_files(cli, results, tmp_path):
    target = tmp_path / "r.html"
    ran = cli("report", *results, str(target), "--title", "My study")
    assert ran.code == 0 and f"{target}: 1 clip, 2 curves, 8 points" in ran.err
    assert ran.out.startswith("hnerv fast needs 3.0 times the bits of x265 medium at equal PSNR YUV 6:1:1 (BD-rate")
    text = target.read_text()
    assert "<h1>My study</h1>" in text and "out of memory" in text and "once" not in text.split("Failed points")[1]
    ran = cli("report", *results, str(target))
    assert ran.code == 2 and f"{target} exists; -y overwrites it" in ran.err
    (tmp_path / "r.csv").write_text("before")
    assert cli("report", *results, str(tmp_path / "r.csv"), "-y", "-q").out == ""
    assert (tmp_path / "r.csv").read_text().startswith("label,clip,codec")


def test_json_is_one_object_with_every_delta(cli, results, tmp_path):
    ran = cli("report", *results, str(tmp_path / "r.md"), "--json", "--anchor", "hnerv fast", "--metric", "vmaf")
    (found,) = ran.objects
    assert (found["type"], found["anchor"], found["metric"], found["clips"]) == (
        "report", "hnerv fast", "vmaf", ["a.mp4"])  # fmt: skip
    assert [cell["label"] for cell in found["cells"]] == ["x265 medium"]
    assert found["averages"][0]["rate"]["akima"] == pytest.approx(-100 * 2 / 3)
    assert found["time_deltas"][-1]["clips"] == 1 and (tmp_path / "r.md").exists()


def test_markdown_to_a_pipe(cli, results):
    ran = cli("report", *results, "-")
    assert ran.code == 0 and ran.out.startswith("# Rate-distortion study") and "| hnerv fast | +200 % (1.00)" in ran.out
    assert cli("report", *results, "-", "--json").code == 2


def test_what_is_wrong_is_one_line(cli, results, tmp_path):
    bad, worse = tmp_path / "bad.jsonl", tmp_path / "worse.jsonl"
    worse.write_text("no json\n")
    bad.write_text("no json\n{}\n")
    for arguments, code, said in (
        (results, 2, "a report is a file with .html"),
        (results[:1], 2, "missing: OUT"),
        ((*results, "r.html", "--metric", "vmav"), 2, "did you mean vmaf?"),
        ((*results, str(tmp_path / "r.md"), "--anchor", "x264"), 2, "there is no curve 'x264'"),
        ((results[0], "nothing.jsonl", str(tmp_path / "r.md")), 3, "nothing.jsonl: No such file"),
        ((str(bad), str(tmp_path / "r.md")), 3, "bad.jsonl:2: a row of results lacks 'clip'"),
        ((str(worse), str(tmp_path / "r.md")), 3, "worse.jsonl: holds no row of results"),
        (("-", str(tmp_path / "r.md")), 2, "report needs a file, not a pipe"),
        ((results[0], str(tmp_path / "no" / "r.md")), 9, "there is no folder"),
    ):
        ran = cli("report", *arguments)
        assert ran.code == code and said in ran.err and ran.err.count("\n") == 1, ran.err


def test_failures_that_nothing_mended(results, tmp_path):
    assert [row.error for row in read_failures(results)] == ["out of memory"]
    (tmp_path / "odd").write_text('[1]\n{"clip": 3}\nnull\n' + "[" * 100_000)
    assert read_failures([tmp_path / "odd", tmp_path / "none"]) == []


@given(st.lists(st.text() | st.builds(json.dumps, st.dictionaries(st.sampled_from(["clip", "codec", "key", "error"]),
                                                                 st.text() | st.none() | st.integers()))))  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_breaks_the_search_for_failures(tmp_path, lines):
    (tmp_path / "odd").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    assert all(row.error for row in read_failures([tmp_path / "odd"]))


def test_help_and_completion_know_it(cli):
    ran = cli("report", "--help")
    assert ran.code == 0 and max(map(len, ran.out.splitlines())) <= 80 and "usage: nvcodec report" in ran.out
    script = cli("completion", "bash").out
    assert '"report --metric")' in script and "report) COMPREPLY" in script
