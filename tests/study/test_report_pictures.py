"""The pictures of a report: which are shown, which are refused, and what a page says of them."""

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

from PIL import Image

from nvcodec.cli import main
from nvcodec.errors import InputError
from nvcodec.study.report import write_report
from nvcodec.study.report.album import Shelf, Shot, load, shots
from nvcodec.study.report.content import content
from nvcodec.study.report.page import policy
from nvcodec.study.report.slider import by_importance, first_frame, first_pair, slides
from nvcodec.study.rows import Row, read_folders, read_rows

SIZE = (48, 32)


def draw(folder, name, size=SIZE, shade=100, **how):
    (folder / "r.pictures").mkdir(exist_ok=True)
    Image.effect_noise(size, shade).convert("RGB").save(folder / "r.pictures" / name, **how)
    return f"r.pictures/{name}"


def row(folder, codec, index, clip="a.mp4", frames=(4,), **more):
    name = f"{clip[0]}-{codec}{index}"
    given = {
        "family": "classical", "frames": 9, "width": SIZE[0], "height": SIZE[1], "psnr_yuv": 30.0 + 3 * index,
        "pictures": {str(f): draw(folder, f"{name}-{f}.webp", lossless=True) for f in frames},
        "source_pictures": {str(f): draw(folder, f"{clip[0]}-original-{f}.webp", lossless=True) for f in frames},
    }  # fmt: skip
    factor = 3.0 if codec == "hnerv" else 1.0
    return Row(clip, codec, "", f"q{index}", factor * 0.01 * 2**index, f"{clip} {codec} {index}", **{**given, **more})


def study(folder, **more):
    """Two codecs on two clips, four points each, and the file of results."""
    rows = [
        row(folder, codec, i, clip, family=family, **more)
        for clip in ("a.mp4", "b.mp4")
        for codec, family in (("hnerv", "fitted"), ("x265", "classical"), ("x264", "classical"))
        for i in range(4)
    ]
    return rows, written(folder, rows)


def written(folder, rows):
    (folder / "r.jsonl").write_text("".join(json.dumps(r.as_dict()) + "\n" for r in rows))
    return folder / "r.jsonl"


def made(rows, folder, **more):
    return content(rows, shelf=Shelf({r.key: folder for r in rows}, **more))


def test_every_picture_of_a_study_is_in_its_page_once(tmp_path):
    rows, results = study(tmp_path)
    write_report(read_rows([results]), tmp_path / "r.html", results=[results])
    text = (tmp_path / "r.html").read_text()
    assert text.count('src="data:image/webp;base64,') == 2 * (3 * 4 + 1)
    assert text.count("<script>") == 1 and "left out" not in text
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    assert f'content="{policy(script).replace(chr(39), "&#39;")}"' in text and "script-src 'sha256-" in policy(script)
    write_report(read_rows([results]), tmp_path / "plain.html")
    plain = (tmp_path / "plain.html").read_text()
    assert "<script" not in plain and "<img" not in plain and 'id="pictures"' not in plain
    assert len(rows) == 24


def test_ours_at_a_medium_rate_is_seen_beside_the_anchors_nearest(tmp_path):
    rows, _ = study(tmp_path)
    found = slides(made(rows, tmp_path))
    for _, pictures in found.clips:
        sides = {picture.side: picture for picture in pictures if picture.side}
        assert sides["left"].name == "hnerv q2" and sides["left"].facts == "0.120 bpp, 36.00 dB"
        assert sides["right"].name == "x265 q3"  # 0.08 bpp; the next one has 0.04
        assert pictures[0].name == "original"


def test_the_budget_keeps_what_matters_first(tmp_path):
    rows, _ = study(tmp_path, frames=(1, 4, 7))
    whole = made(rows, tmp_path)
    found, _ = shots(whole.rows, whole.shelf.folders)
    order = by_importance(found, whole)
    assert len(order) == len(found) == 2 * 3 * 13
    assert {(s.clip, s.frame, s.label) for s in order[:6]} == {
        (clip, 4, label) for clip in ("a.mp4", "b.mp4") for label in ("original", "hnerv", "x265")
    }
    size = max((tmp_path / s.name).stat().st_size for s in found)
    few = slides(made(rows, tmp_path, most_bytes=7 * (size // 3 + 1) * 4))
    names = [[picture.name for picture in pictures] for _, pictures in few.clips]
    assert {"hnerv q2", "x265 q3", "original"} <= set(names[0]) and {"hnerv q2", "x265 q3"} <= set(names[1])
    assert any(re.search(r"\d\d of 78 pictures left out, because a page holds at most", note) for note in few.notes)
    none = slides(made(rows, tmp_path, most_bytes=10))
    assert none.clips == () and "78 of 78" in none.notes[0]


def test_a_frame_of_one_picture_is_not_compared(tmp_path):
    lone = [row(tmp_path, "x265", 1, source_pictures={})]
    assert slides(made(lone, tmp_path)).clips == ()
    pair = [row(tmp_path, "x265", 1)]
    ((_, pictures),) = slides(made(pair, tmp_path)).clips
    assert [(p.name, p.side) for p in pictures] == [("original", "left"), ("x265 q1", "right")]


@pytest.mark.parametrize("families", [("classical", "classical"), ("fitted", "fitted"), ("fitted", "classical")])
def test_there_is_a_first_pair_whatever_there_is(tmp_path, families):
    rows = [row(tmp_path, c, i, family=f, source_pictures={}) for c, f in zip("pq", families, strict=True)
            for i in range(2)]  # fmt: skip
    for some in (rows, rows[:2], rows[1:3]):
        report = made(some, tmp_path)
        found, _ = shots(report.rows, report.shelf.folders)
        left, right = first_pair(found, report)
        assert left is not right and first_frame(found) == 4
        assert len(slides(report).clips[0][1]) == len(some)


HOSTILE = (
    "/etc/passwd", "../secret.webp", "r.pictures/../secret.webp", "r.pictures/sub/x.webp", "secret.webp",
    "r.pictures\\x.webp", "..pictures/x.webp", "r.pictures/.hidden.webp", "other/x.webp", "r.pictures/x.svg",
    "./r.pictures/x.webp", "r.pictures//x.webp", "r.pictures/x.webp\n", "", None, 7, ["r.pictures/x.webp"],
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    draw(tmp_path, "x.webp")
    draw(tmp_path, "../secret.webp")
    rows = [row(tmp_path, "x265", 1), replace(row(tmp_path, "x265", 2), pictures={"4": name})]
    results = written(tmp_path, rows)
    found = slides(made(read_rows([results]), tmp_path))
    assert [p.name for p in found.clips[0][1]] == ["original", "x265 q1"]
    assert found.notes == ("1 picture left out: no name of a file in a folder of pictures.",)


@given(st.text(max_size=30), st.one_of(st.text(max_size=30), st.just("r.pictures/"), st.integers()))
def test_no_name_leads_out_of_its_folder(frame, name):
    rows = [Row("a", "x265", "", "q1", 0.1, "k", width=1, height=1, pictures={frame: name, "1": f"r.pictures/{name}"})]
    found, _ = shots(rows, {"k": Path("/base")})
    for shot in found:
        assert Path(os.path.normpath(f"/base/{shot.name}")).parent.parent == Path("/base") and shot.frame >= 0


def shot(folder, name, size=SIZE):
    return Shot("a.mp4", 4, None, folder, name, size)


def test_only_whole_pictures_of_the_right_size_are_loaded(tmp_path):
    good = draw(tmp_path, "good.webp")
    kind, data = load(shot(tmp_path, good))
    assert kind == "image/webp" and data == (tmp_path / good).read_bytes()
    assert load(shot(tmp_path, draw(tmp_path, "good.png")))[0] == "image/png"
    (tmp_path / "r.pictures" / "text.webp").write_text("root:x:0:0")
    (tmp_path / "r.pictures" / "short.webp").write_bytes(data[:-20])
    (tmp_path / "r.pictures" / "folder.webp").mkdir()
    os.mkfifo(tmp_path / "r.pictures" / "pipe.webp")
    draw(tmp_path, "jpeg.webp", format="JPEG")
    Image.new("RGB", SIZE).save(
        tmp_path / "r.pictures" / "moves.webp", save_all=True, append_images=[Image.new("RGB", SIZE, "red")]
    )
    for name, words in {
        "text": "neither", "short": "not shown", "folder": "no file", "pipe": "no file", "jpeg": "neither",
        "moves": "moves", "none": "No such file",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=words):
            load(shot(tmp_path, f"r.pictures/{name}.webp"))
    for size in ((48, 33), (None, None)):
        with pytest.raises(InputError, match="48x32 pixels, not"):
            load(shot(tmp_path, good, size))


def test_links_that_lead_out_are_found_out(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    secret = draw(outside, "secret.webp")
    (inside / "r.pictures").symlink_to(outside / "r.pictures")
    (inside / "s.pictures").mkdir()
    (inside / "s.pictures" / "x.webp").symlink_to(outside / secret)
    for name in ("r.pictures/secret.webp", "s.pictures/x.webp"):
        with pytest.raises(InputError, match="no file in a folder of pictures"):
            load(shot(inside, name))
    (tmp_path / "link").symlink_to(outside)
    assert load(shot(tmp_path / "link", secret))[0] == "image/webp"


def test_a_picture_of_too_many_bytes_or_pixels_is_not_opened(tmp_path, monkeypatch):
    large = tmp_path / draw(tmp_path, "large.webp")
    with large.open("ab") as file:
        file.truncate(1 << 25)
    with pytest.raises(InputError, match="more than 16777216"):
        load(shot(tmp_path, "r.pictures/large.webp"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for limit in (1000, 10):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match="pixels"):
            load(shot(tmp_path, draw(tmp_path, "bomb.png")))


def test_a_missing_picture_is_a_note_and_the_rest_is_shown(tmp_path):
    rows, results = study(tmp_path)
    (tmp_path / rows[0].pictures["4"]).unlink()
    write_report(read_rows([results]), tmp_path / "r.html", results=[results])
    text = (tmp_path / "r.html").read_text()
    assert text.count("data:image/webp") == 25 and "1 picture left out: " in text and "No such file" in text


def test_rows_without_pictures_stay_valid(tmp_path):
    rows = [row(tmp_path, "x265", i) for i in range(3)]
    old = [replace(r, pictures={}, source_pictures={}, key=f"old {r.key}", codec="x264") for r in rows]
    results = written(tmp_path, [*old, *rows])
    assert read_rows([results]) == [*old, *rows] and set(read_folders([results]).values()) == {tmp_path}
    assert len(slides(made([*old, *rows], tmp_path)).clips[0][1]) == 4


def test_pictures_come_from_the_folder_of_their_own_file(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    one, two = written(first, [row(first, "x265", 1)]), written(second, [row(second, "x265", 1)])
    write_report(read_rows([one, two]), tmp_path / "r.html", results=[one, two])
    text = (tmp_path / "r.html").read_text()
    for folder, there in ((first, False), (second, True)):
        data = (folder / "r.pictures" / "a-x2651-4.webp").read_bytes()
        assert (base64.b64encode(data).decode() in text) is there


def test_hostile_texts_about_pictures_stay_text(tmp_path):
    name = '<script>alert(1)</script>" onload="x\' {{ 7*7 }}.mp4'
    rows = [replace(row(tmp_path, "x265", i), clip=name, codec=f"x265 {name}") for i in range(2)]
    results = written(tmp_path, rows)
    write_report(read_rows([results]), tmp_path / "r.html", results=[results])
    text = (tmp_path / "r.html").read_text()
    assert text.count("<script") == text.count("</script") == 1 and 'onload="' not in text and "49.mp4" not in text


def test_the_command_takes_a_size_for_pictures(tmp_path, capfd):
    _, results = study(tmp_path)
    target = tmp_path / "r.html"
    for arguments, count in (([], 26), (["--pictures", "0"], 0), (["--pictures", "12MB"], 26)):
        assert main(["report", str(results), str(target), "-y", "-q", *arguments]) == 0
        assert target.read_text().count("data:image/webp") == count
    assert main(["report", str(results), str(target), "-y", "--pictures", "lots"]) == 2
    assert "not a size" in capfd.readouterr().err


def test_a_report_needs_no_torch(tmp_path):
    _, results = study(tmp_path)
    code = (
        "import sys; from nvcodec.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or bool({'torch', 'av'} & set(sys.modules)))"
    )
    arguments = ["report", str(results), str(tmp_path / "r.html"), "-q"]
    assert subprocess.run([sys.executable, "-c", code, *arguments]).returncode == 0
