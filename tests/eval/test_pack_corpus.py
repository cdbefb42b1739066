"""Packing real files by PyAV."""

from __future__ import annotations

from eval.corpus import main, read
from nvcodec.training.corpus import open_corpus, planes


def test_a_folder_of_files_is_packed(make_clip, carphone, tmp_path, capsys):
    clip = make_clip(carphone, 64, 48, 6)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.y4m").write_bytes(clip.read_bytes())
    (folder / "notes.txt").write_text("no video")
    assert main([str(folder), str(tmp_path / "out"), "--size", "48", "--frames", "3"]) == 0
    said = capsys.readouterr()
    assert "2 clips of 3 frames from 1 sources" in said.out and "notes.txt" in said.err
    (items,) = open_corpus(tmp_path / "out")
    y = planes(items.samples[:1], 48)[0][0, 0].numpy()
    first = next(read(clip))[0]
    assert any((first[:, x : x + 48] == y).all() for x in range(17))


def test_nothing_to_pack_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path / "none"), str(tmp_path / "out")]) != 0
    assert "no such file" in capsys.readouterr().err
