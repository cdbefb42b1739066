"""The benchmarks end quietly where the reader of their output has gone."""

import subprocess
import sys

import pytest

from eval.pipes import until_closed
from nvcodec.cli.exits import PIPE_CLOSED


def test_exit_codes_and_errors_pass(capsys):
    assert until_closed(lambda: 3) == 3
    with pytest.raises(SystemExit):
        until_closed(lambda: sys.exit(2))


@pytest.mark.parametrize("said", ["print('x' * 100000)", "print('x')", "print('x'); import sys; sys.exit(0)"])
def test_a_reader_that_goes_away_is_no_traceback(said):
    code = f"import sys; from eval.pipes import until_closed; input(); sys.exit(until_closed(lambda: exec({said!r})))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.stderr.read() == b"" and process.wait() == PIPE_CLOSED
    process.stderr.close()
