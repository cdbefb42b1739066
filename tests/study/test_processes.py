import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nvcodec.errors import NvcodecError
from nvcodec.provenance import ROOT, commit, machine
from nvcodec.study.processes import kill_running, nvcodec_command, run_measured


def test_measures_a_fresh_process_and_not_this_one():
    ballast = bytearray(b"x") * 200_000_000  # this process's memory must not show in the child's
    finished = run_measured([sys.executable, "-c", "print('hello')"])
    assert (finished.code, finished.stdout) == (0, "hello\n")
    assert 1e6 < finished.peak_bytes < 100e6 < len(ballast)


def test_sees_the_peak_and_the_wall_clock():
    finished = run_measured([sys.executable, "-c", "import time; x = b'x' * 150_000_000; time.sleep(0.2)"])
    assert finished.peak_bytes > 150e6
    assert finished.seconds > 0.2


def test_a_failure_is_named_with_its_command():
    with pytest.raises(NvcodecError, match="exit code 3"):
        run_measured([sys.executable, "-c", "raise SystemExit(3)"])
    assert run_measured([sys.executable, "-c", "raise SystemExit(3)"], check=False).code == 3
    with pytest.raises(NvcodecError, match="could not run"):
        run_measured(["/nowhere/to/be/found"])


def test_what_a_captured_command_said_is_part_of_the_error(capfd):
    call = [sys.executable, "-c", "import sys; print('first', file=sys.stderr); sys.exit('no such codec')"]
    with pytest.raises(NvcodecError, match=r"no such codec \(exit code 1\)"):
        run_measured(call, capture=True)
    assert capfd.readouterr().err == ""


def test_commands_of_other_threads_can_be_ended():
    call = [sys.executable, "-c", "import time; time.sleep(60)"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_measured, call, check=False)
        while not waiting.done():
            kill_running()
            time.sleep(0.05)
        with pytest.raises(NvcodecError, match="could not run"):  # the one that reports was ended too
            waiting.result()


def test_the_last_json_object_is_found():
    text = 'print(\'{"a": 1}\'); print(\'{"a": 2}\'); print("done"); print("{broken")'
    assert run_measured([sys.executable, "-c", text]).last_object() == {"a": 2}
    with pytest.raises(NvcodecError):
        run_measured([sys.executable, "-c", "print(1)"]).last_object()


def test_says_where_a_number_comes_from():
    assert "core" in machine()
    assert commit()
    assert nvcodec_command()
    assert (ROOT / "nvcodec").is_dir()
