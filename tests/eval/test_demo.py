import json

import eval.demo as demo
from nvcodec.study.processes import Finished


def test_the_demo_calls_the_three_commands_and_sums_up(monkeypatch, tmp_path, capsys):
    made = []
    measured = {"bytes": 12_000, "bpp": 0.01, "psnr_yuv": 33.3, "psnr_rgb": 31.1, "ms_ssim": None, "frames": 30}

    def run(command: tuple[str, ...]) -> Finished:
        made.append(command[command.index("nvcodec") + 1 :])
        return Finished(command, 0, 10.0, 500_000_000, json.dumps({**measured, "decode_fps": 7.0}))

    monkeypatch.setattr(demo, "run_measured", run)
    monkeypatch.setattr(demo, "nvcodec_command", lambda: ("nvcodec",))
    clip = tmp_path / "a.mp4"
    clip.write_bytes(bytes(48_000))
    assert demo.main(["--clip", str(clip), "--out", str(tmp_path / "out"), "--time-budget", "5s"]) == 0
    assert [command[0] for command in made] == ["encode", "decode", "eval"]
    assert made[0][3:] == ("--codec", "auto", "--time-budget", "5s", "-y")
    printed = capsys.readouterr().out
    assert "12.0 kB of 48.0 kB" in printed and "33.30 dB YUV" in printed and "3.00 fps" in printed
    assert "MS-SSIM" not in printed


def test_a_missing_clip_is_one_line(capsys):
    assert demo.main(["--clip", "nowhere.mp4"]) == 3
    assert capsys.readouterr().err.startswith("error: no clip")
