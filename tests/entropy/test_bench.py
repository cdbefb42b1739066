"""The benchmark of the coder runs, and its rows say what they should; no time is asserted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nvcodec.entropy import native
from nvcodec.entropy.bench.__main__ import main
from nvcodec.entropy.bench.cases import CASES, make_case
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.tables import GAUSSIAN

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason="the native coder was not built")
FIELDS = {"coder", "case", "op", "scope", "simd", "threads", "msym_per_s", "over_ideal", "clean"}


@pytest.mark.parametrize("name", list(CASES))
def test_rows_of_ours(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--json", "--symbols", "131072", "--case", name, "--threads", "1", "2", "--no-peers"]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(row) == FIELDS and row["msym_per_s"] > 0 for row in rows)
    kinds = {(row["simd"], row["scope"], row["op"], row["threads"]) for row in rows}
    assert kinds == {
        (simd, scope, op, threads)
        for simd in native.simd_names()
        for op in ("encode", "decode")
        for scope, threads in (("core", 1), ("end_to_end", 1), ("end_to_end", 2))
    }
    core = {row["over_ideal"] for row in rows if row["scope"] == "core"}
    assert len(core) == 1 and -1e-4 < core.pop() <= 3e-4  # apart from lanes and index: 0.03 %
    assert all(row["over_ideal"] < 0.01 for row in rows)


def test_peers_where_they_are_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--symbols", "65536", "--case", "latent_like", "--simd", "scalar", "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert "over ideal" in text.splitlines()[1]
    assert "constriction" in text  # the project's own tests install it


@pytest.mark.parametrize("name", list(CASES))
def test_ideal_is_what_tables_nearly_reach(name: str) -> None:
    case = make_case(name, 100_000)
    length = code_length(case.values, case.indices, GAUSSIAN)
    assert 1 - 1e-4 < length / case.ideal_bits() < 1 + 4e-4
    assert case.values.dtype == np.int16 and case.indices.dtype == np.uint8


def test_bad_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--symbols", "100"], ["--threads", "0"], ["--simd", "mmx"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2 and "error:" in capsys.readouterr().err
