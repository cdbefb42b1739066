import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import pytest

from nvcodec import errors
from nvcodec.cli import app, exits

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "exit-codes.md"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_encode_hands_over_what_was_given(api, cli):
    ran = cli("encode", "i.mp4", "o.nvc", "--size", "2MB", "--time-budget", "1m", "--no-audio", "--resume", "-y")
    assert ran.code == 0 and ran.out == ""
    assert api.calls[0][:2] == ("encode", ("i.mp4", "o.nvc"))
    given = api.named
    assert (given["size"], given["time_budget"], given["audio"]) == (2_000_000, 60.0, False)
    assert given["resume"] and given["overwrite"] and given["quality"] is None
    assert "o.nvc: 3.00 kB (2.50 kB of it video), 0.5000 bpp, 33.33 dB" in ran.err
    assert "8 frames in 2 groups, 2.0 s, 4.00 fps" in ran.err


def test_decode_hands_over_what_was_given(api, cli):
    ran = cli("decode", "i.nvc", "o.y4m", "--frames", "2:6", "--crf", "12", "--threads", "2")
    assert ran.code == 0
    assert (api.named["frames"], api.named["crf"], api.named["threads"]) == ((2, 6), 12.0, 2)
    assert "o.mp4: 8 frames, 2.0 s, 4.00 fps" in ran.err
    for text, frames in {"-8:": (-8, None), "40:": (40, None), "-8:-2": (-8, -2)}.items():
        for words in (("--frames", text), (f"--frames={text}",)):
            assert cli("decode", "i.nvc", "o.y4m", *words).code == 0 and api.named["frames"] == frames


def test_options_before_the_command(api, cli):
    assert cli("--json", "-q", "decode", "i.nvc", "o.y4m").objects[-1]["type"] == "result"


def test_encode_as_json_lines(api, cli):
    api.answers["encode"] = dataclasses.replace(api.answers["encode"], warnings=["no alpha"], psnr_yuv=float("inf"))
    ran = cli("encode", "i.mp4", "o.nvc", "--json")
    kinds = [item["type"] for item in ran.objects]
    assert kinds[-2:] == ["warning", "result"] and set(kinds) == {"progress", "warning", "result"}
    assert ran.objects[-1]["bytes"] == 3000 and ran.objects[-1]["psnr_yuv"] is None
    assert ran.objects[kinds.index("warning") - 1]["fraction"] == 1.0
    assert ran.err == "nvcodec: warning: no alpha\n"


def test_quiet_says_nothing(api, cli):
    api.answers["encode"] = dataclasses.replace(api.answers["encode"], warnings=["no alpha"])
    ran = cli("encode", "i.mp4", "o.nvc", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_missed_goal_has_its_code(api, cli):
    api.answers["encode"] = dataclasses.replace(
        api.answers["encode"], goal_met=False, goal="psnr 33.33 of 50 dB"
    )
    ran = cli("encode", "i.mp4", "o.nvc", "--psnr", "50", "--json")
    line = "nvcodec: error: the goal was not met: psnr 33.33 of 50 dB; the nearest result was kept in o.nvc\n"
    assert ran.code == 11 and ran.err == line
    assert [item["type"] for item in ran.objects[-2:]] == ["result", "error"]


def test_eval_prints_one_object(api, cli):
    ran = cli("eval", "i.mp4", "o.nvc", "--json")
    assert ran.objects == [{"type": "result", **api.answers["evaluate"]}]
    assert "decoding  40.0 fps" in cli("eval", "i.mp4", "o.nvc").out
    api.answers["evaluate"] |= {"damaged": ["group 1: CRC"], "truncated": False}
    ran = cli("eval", "i.mp4", "o.nvc", "--json")
    assert ran.code == 5 and len(ran.objects) == 1
    assert ran.err.splitlines()[-1] == "nvcodec: error: o.nvc is damaged: group 1: CRC; 8 frames compared"


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({}, 0, None),
        ({"damaged": ["group 1: CRC"]}, 5, "i.nvc is damaged: group 1: CRC; 8 frames saved"),
        ({"damaged": ["a", "b", "c"], "truncated": True}, 5, "i.nvc is damaged: a (and 2 more); 8 frames saved"),
        ({"truncated": True}, 6, "i.nvc ends early; 8 frames saved"),
    ],
)
def test_decode_of_a_file_that_is_not_whole(api, cli, change, code, said):
    api.answers["decode"] = dataclasses.replace(api.answers["decode"], **change)
    ran = cli("decode", "i.nvc", "o.mp4", "--json")
    assert ran.code == code and ran.err == (f"nvcodec: error: {said}\n" if said else "")
    assert [item["type"] for item in ran.objects if item["type"] != "progress"] == ["result"] + ["error"] * bool(said)


def test_verify(api, cli):
    api.answers["verify"].pictures_differ = [1]
    api.answers["verify"].pictures_ok = 1
    ran = cli("verify", "i.nvc")
    assert ran.code == 0 and "other roundings in group 1" in ran.out and "the file is whole" in ran.out
    assert cli("verify", "i.nvc", "--json").objects[-1]["ok"] is True
    api.answers["verify"].damage = ["chunk at byte 63: CRC"]
    ran = cli("verify", "i.nvc")
    assert ran.code == 5 and "NOT whole" in ran.out and "i.nvc is damaged: chunk at byte 63: CRC" in ran.err


@pytest.mark.parametrize("kind", errors.NvcodecError.__subclasses__() + errors.FormatError.__subclasses__())
def test_every_error_is_one_line_and_its_code(api, cli, kind):
    api.fails["decode"] = kind("something\nin two lines")
    ran = cli("decode", "i.nvc", "o.mp4", "--json")
    assert ran.code == kind.exit_code
    assert ran.err == "nvcodec: error: something in two lines\n"
    assert ran.objects[-1] == {"type": "error", "error": kind.__name__, "message": "something\nin two lines",
                               "exit_code": kind.exit_code}  # fmt: skip


def test_a_message_cannot_steer_the_terminal(api, cli):
    api.fails["decode"] = errors.FormatError("track \x1b]0;title\x07 \u202e")
    assert cli("decode", "i.nvc", "o.mp4", "-q").err == "nvcodec: error: track ?]0;title? ?\n"


def test_the_unexpected_is_one_line_unless_asked(api, cli, monkeypatch):
    api.fails["decode"] = ZeroDivisionError("by zero")
    ran = cli("decode", "i.nvc", "o.mp4", "-q")
    assert ran.code == 1 and ran.err.count("\n") == 1
    assert "unexpected ZeroDivisionError: by zero" in ran.err and "NVCODEC_DEBUG=1" in ran.err
    assert "Traceback" in cli("decode", "i.nvc", "o.mp4", "-v").err
    monkeypatch.setenv("NVCODEC_DEBUG", "1")
    assert "Traceback" in cli("decode", "i.nvc", "o.mp4").err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, "out of memory"),
        (PermissionError(13, "Permission denied", "o.mp4"), 1, "o.mp4: Permission denied"),
        (OSError(28, "No space left on device"), 9, "the disk is full"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
    ],
)
def test_errors_of_the_system(api, cli, error, code, said):
    api.fails["decode"] = error
    ran = cli("decode", "i.nvc", "o.mp4", "-q")
    assert (ran.code, ran.err) == (code, f"nvcodec: error: {said}\n")


def test_a_closed_pipe_is_no_news(api, cli):
    from nvcodec.video.writer import PipeClosedError

    for error in (BrokenPipeError(), PipeClosedError("the reader has gone")):
        api.fails["decode"] = error
        ran = cli("decode", "i.nvc", "o.mp4", "-q")
        assert (ran.code, ran.err) == (141, "")


def test_interrupted_encode_says_what_was_kept(api, cli, tmp_path):
    target = tmp_path / "o.nvc"
    api.fails["encode"] = KeyboardInterrupt()
    assert "nothing was kept" in cli("encode", "i.mp4", str(target)).err
    vector = next(Path(__file__).resolve().parents[2].glob("bitstream/vectors/**/append.nvc"), None)
    part = vector or next(Path(__file__).resolve().parents[2].glob("bitstream/vectors/good/*.nvc"))
    (tmp_path / "o.nvc.part").write_bytes(part.read_bytes())
    ran = cli("encode", "i.mp4", str(target), "-q")
    assert ran.code == 130
    assert re.search(r"stopped by Ctrl-C; .*o\.nvc\.part holds \d+ frames?; go on with --resume", ran.err)
    api.fails["encode"] = errors.ResumeError("made otherwise")
    assert cli("encode", "i.mp4", str(target), "-q").err == "nvcodec: error: made otherwise\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("encode i o --quality 3 --bpp 1", "exclude one another"),
        ("encode i o --preset fast --time-budget 5m", "exclude one another"),
        ("encode i o --quality 99", "--quality is 0 to 63"),
        ("encode i o --codec hnrev", "--codec: there is no 'hnrev'; did you mean hnerv?"),
        ("encode i o --qualty 3", "there is no option --qualty; did you mean --quality?"),
        ("encode i", "missing: OUTPUT"),
        ("encod i o", "there is no command 'encod'; did you mean encode?"),
        ("frobnicate", "there are: encode, decode"),
        ("--verison", "did you mean --version?"),
        ("decode i o --frames 5", "write START:STOP"),
        ("decode i - --json", "--json writes to standard output"),
        ("info -", "info needs a file, not a pipe"),
        ("eval - o", "eval needs a file, not a pipe"),
        ("completion fish", "there is no 'fish'; there are: bash, zsh"),
    ],
)
def test_wrong_calls_are_one_line_and_2(api, cli, arguments, said):
    ran = cli(*arguments.split())
    assert (ran.code, ran.out if "--json" not in arguments else "") == (2, "")
    assert ran.err.startswith("nvcodec: error: ") and ran.err.count("\n") == 1 and said in ran.err
    assert not api.calls


def test_terminals_are_no_pipes(api, cli, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    ran = cli("encode", "-", "o.nvc")
    assert ran.code == 2 and "standard input is a terminal" in ran.err and "yuv4mpegpipe" in ran.err
    assert "standard input is a terminal" in cli("decode", "-", "o.mp4").err
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert cli("decode", "i.nvc", "-").code == 2
    assert not api.calls


def test_help_leads_with_examples(cli):
    for name in ("", *app.COMMANDS):
        ran = cli(*filter(None, [name]), "--help")
        assert ran.code == 0 and ran.err == ""
        assert ran.out.index("examples:") < ran.out.index("usage:")
        assert max(map(len, ran.out.splitlines())) <= (120 if name == "" else 80), name
    assert cli("help", "decode").out == cli("decode", "-h").out
    assert cli("help").out == cli("--help").out == cli("-h").out
    nothing = cli()
    assert nothing.code == 2 and nothing.out == "" and "commands:" in nothing.err


def test_exit_codes_are_documented():
    kinds = [errors.NvcodecError, *errors.NvcodecError.__subclasses__(), *errors.FormatError.__subclasses__()]
    text, shown = DOCUMENT.read_text(), app.top_help()
    for code in {kind.exit_code for kind in kinds} | {0, 129, 130, 141, 143}:
        assert code in exits.MEANINGS
        assert f"{code:>3}  {exits.MEANINGS[code]}" in shown
        assert f"| {code} | {exits.MEANINGS[code]} |" in text


def test_codecs_and_version_without_the_api(cli):
    listed = cli("codecs", "--json").objects
    assert {"nerv", "hnerv"} <= {item["name"] for item in listed} and sum(item["default"] for item in listed) == 1
    assert all(item["description"] for item in listed)
    lines = cli("--version").out.splitlines()
    assert re.fullmatch(r"nvcodec \d+\.\d+\.\d+\S*", lines[0])
    for word in ("python", "torch", "device", "precision", "native", "FFmpeg"):
        assert any(word in line for line in lines[1:])
    assert json.loads(cli("--version", "--json").out)["type"] == "version"


def test_completion_is_a_script_that_bash_reads(cli, tmp_path):
    import shutil
    import subprocess

    script = cli("completion", "bash").out
    assert "--time-budget" in script and "faster fast medium" in script
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    (tmp_path / "complete").write_text(script)
    asked = "source complete; COMP_WORDS=(nvcodec encode --pre); COMP_CWORD=2; _nvcodec; echo ${COMPREPLY[*]}"
    done = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "--preset\n"
