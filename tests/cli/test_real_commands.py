"""The real thing: a tiny clip through every command, some in a process of their own."""

import json
import os
import signal
import subprocess
import sys

import av
import pytest

FIT = ("--codec", "hnerv", "--preset", "faster", "--gof", "4")


@pytest.fixture(scope="module")
def clip(make_clip, bikes):
    return make_clip(bikes, 64, 48, 8)


@pytest.fixture(scope="module")
def coded(clip, run_fresh, tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "a.nvc"
    done = run_fresh("encode", str(clip), str(path), *FIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and "a.nvc: " in done.stderr and "8 frames in 2 groups" in done.stderr
    assert not path.with_name("a.nvc.part").exists()
    return path


@pytest.fixture
def damaged(coded, tmp_path):
    """Its first group broken, its second whole."""
    data = bytearray(coded.read_bytes())
    data[data.index(b"GRUP") + 200] ^= 1
    path = tmp_path / "damaged.nvc"
    path.write_bytes(data)
    return path


def test_help_needs_no_torch(run_fresh):
    code = "import sys; from nvcodec.cli import main; main(['encode', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")


def test_info_and_verify(coded, cli):
    info = cli("info", str(coded), "--json").objects[0]
    assert (info["type"], info["frames"], len(info["groups"])) == ("info", 8, 2)
    assert info["file_size"] == coded.stat().st_size
    assert "codec     hnerv" in cli("info", str(coded)).out
    report = cli("verify", str(coded), "--json").objects[-1]
    assert report["ok"] and report["symbols_ok"] == 2 and report["pictures_ok"] == 2


def test_eval_in_a_fresh_process(coded, clip, run_fresh):
    measured = run_fresh("eval", str(clip), str(coded), "--json")
    assert measured.returncode == 0 and measured.stdout.count("\n") == 1
    result = json.loads(measured.stdout)
    keys = {"bytes", "video_bytes", "bpp", "psnr_yuv", "psnr_rgb", "ms_ssim", "frames", "decode_fps"}
    assert keys <= result.keys() and result["type"] == "result"
    assert result["bytes"] == coded.stat().st_size and result["frames"] == 8 and result["psnr_yuv"] > 20


def test_decode_to_a_file_and_to_a_pipe(coded, cli, run_fresh, tmp_path):
    target, cut = tmp_path / "a.y4m", tmp_path / "cut.mp4"
    assert cli("decode", str(coded), str(target)).code == 0
    piped = run_fresh("decode", "-", "-", text=False, input=coded.read_bytes())
    assert piped.returncode == 0 and piped.stdout == target.read_bytes()
    again = cli("decode", str(coded), str(target))
    assert again.code == 2 and "-y overwrites" in again.err
    assert cli("decode", str(coded), str(cut), "--frames", "3:6", "-q").code == 0
    with av.open(str(cut)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_a_player_that_leaves_is_no_news(coded, run_fresh):
    read, write = os.pipe()
    os.close(read)
    try:
        done = run_fresh("decode", str(coded), "-", "-q", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_damaged_and_cut_files_give_what_is_whole(coded, damaged, cli, tmp_path):
    done = cli("decode", str(damaged), str(tmp_path / "a.y4m"), "-q")
    assert done.code == 5 and done.err.count("\n") == 1 and "4 frames saved" in done.err
    assert cli("verify", str(damaged), "-q").code == 5
    short = tmp_path / "short.nvc"
    data = coded.read_bytes()
    short.write_bytes(data[: data.rindex(b"GRUP") + 50])
    done = cli("decode", str(short), str(tmp_path / "b.y4m"), "-q")
    assert done.code == 6 and "ends early; 4 frames saved" in done.err
    assert (tmp_path / "a.y4m").stat().st_size == (tmp_path / "b.y4m").stat().st_size


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_encode_goes_on(coded, clip, cli, run_fresh, tmp_path, number):
    target, part = tmp_path / "a.nvc", tmp_path / "a.nvc.part"
    command = [sys.executable, "-m", "nvcodec", "encode", str(clip), str(target), *FIT, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "OMP_NUM_THREADS": "1"}, preexec_fn=_hear_interrupts)  # fmt: skip
    while process.poll() is None and _group(process) < 1:
        pass
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"{part} holds 4 frames; go on with --resume" in err and err.count("\n") == 1
    assert json.loads(out.splitlines()[-1])["type"] == "error"
    if number == signal.SIGTERM:
        return
    other = cli("encode", str(clip), str(target), *FIT, "--quality", "40", "--resume", "-q")
    assert other.code == 10 and "quality" in other.err
    done = run_fresh("encode", str(clip), str(target), *FIT, "--resume", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert target.read_bytes() == coded.read_bytes() and not part.exists()


def _hear_interrupts():
    """What runs in the background of a shell starts deaf to them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _group(process):
    """Whole groups, by the next report of a running encode."""
    line = process.stdout.readline()
    return json.loads(line).get("group", 0) if line else 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("encode", "missing.mp4", "o.nvc"), 3),
        (("encode", "{clip}", "{clip}"), 2),
        (("encode", "{clip}", "nowhere/o.nvc"), 9),
        (("decode", "{clip}", "o.mp4"), 4),
    ],
)
def test_errors_leave_nothing_behind(clip, cli, tmp_path, monkeypatch, arguments, code):
    monkeypatch.chdir(tmp_path)
    done = cli(*(a.format(clip=clip) for a in arguments))
    assert done.code == code and done.out == ""
    assert done.err.startswith("nvcodec: error: ") and done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_empty_pipe_is_an_error(run_fresh, tmp_path):
    done = run_fresh("encode", "-", "o.nvc", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
