import errno

import pytest

from nvcodec.errors import InputError
from nvcodec.study.results import Results
from nvcodec.study.rows import read_rows


def test_rows_are_found_again(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    assert Results(path).get("a") is None
    Results(path).add("a", {"value": 1})
    results = Results(path)
    assert results.get("a") == {"key": "a", "value": 1}
    results.add("a", {"value": 2})
    assert Results(path).rows == {"a": {"key": "a", "value": 2}}


def test_a_killed_run_costs_its_last_row_only(tmp_path):
    path = tmp_path / "results.jsonl"
    Results(path).add("a", {"value": 1})
    with path.open("a") as file:
        file.write('{"key": "b", "val')
    results = Results(path)
    assert list(results.rows) == ["a"]
    results.add("c", {"value": 3})
    assert sorted(Results(path).rows) == ["a", "c"]


def test_a_torn_line_costs_its_point_alone(tmp_path):
    """What a kill or a full disk leaves in the middle, once a later run has gone on."""
    path = tmp_path / "r.jsonl"
    row = {"clip": "a", "codec": "x264", "configuration": "fast", "rate": "crf30", "bpp": 0.1}
    Results(path).add("one", row)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert [found.key for found in read_rows([path])] == ["one"]
    Results(path).add("two", row)
    assert [found.key for found in read_rows([path])] == ["one", "two"]
    path.write_bytes(whole[:40] + b"\n" + whole)
    assert [found.key for found in read_rows([path])] == ["one"]
    for nothing in (b"", b"hello\n", whole[:40]):
        path.write_bytes(nothing)
        with pytest.raises(InputError, match="holds no row"):
            read_rows([path])


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    results = Results(path)
    results.add("one", {"value": 1})
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        results.add("two", {"value": 2})
    assert path.read_bytes() == before and results.get("two") is None


@pytest.mark.parametrize("line", [b"\xff\xfe", b'{"key": [1]}', b"[" * 100_000, b'{"key": 1}', b"null"])
def test_hostile_lines_are_no_rows(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_bytes(line + b"\n")
    assert Results(path).rows == {}
