import json

import pytest

from nvcodec.cli import info


@pytest.fixture
def facts():
    return {
        "path": "a.nvc", "codec": "hnerv", "frames": 6, "duration": 0.24, "file_size": 3000, "video_bytes": 2000,
        "bpp": 0.25,
        "format": {
            "codec_id": 2, "level": 1, "minor": 0, "width": 64, "height": 48, "bit_depth": 10, "chroma_siting": 1,
            "colour": {"primaries": 9, "transfer": 16, "matrix": 9, "full_range": False}, "timebase": "1/25",
            "frame_rate": "30000/1001", "sample_aspect": "4/3", "rotation": 90, "mastering": {}, "content_light": None,
        },
        "groups": [
            {"number": n, "first_frame": 3 * n, "frame_count": 3, "depends_on": None, "bytes": 1000, "damaged": n == 1,
             "parameters": 12345, "macs_per_pixel": 567.8}
            for n in range(2)
        ],
        "tracks": [{"kind": "audio", "codec": "aac", "timebase": "1/48000", "language": "eng", "parameters": ""}],
        "metadata": {"encoder": "nvcodec 0.1.0", "settings": '{"codec": "hnerv", "seed": "0"}'},
        "truncated": False,
        "damage": [{"offset": 1200, "kind": "crc", "message": "GRUP does not match its CRC"}],
    }  # fmt: skip


def test_a_table_of_what_there_is(api, cli, facts):
    api.answers["info"] = facts
    ran = cli("info", "a.nvc")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    for line in (
        "codec     hnerv, level 1",
        "video     64x48, 10 bit, 29.97 fps, 6 frames, 0.2 s, sample aspect 4:3, turned",
        "          by 90 degrees",
        "colour    BT.2020/PQ/BT.2020, limited range",
        "size      3.00 kB (2.00 kB video, 1.00 kB tracks), 0.2500 bits per pixel, 66.7",
        "tracks    audio: aac (eng)",
        "          settings: codec hnerv, seed 0",
        "damage    at byte 1200: GRUP does not match its CRC",
        "     1      3:6   1.00 kB          -       12,345         568   damaged",
    ):
        assert line in lines
    assert all(line == line.rstrip() and len(line) <= 80 for line in lines)


def test_one_object(api, cli, facts):
    api.answers["info"] = facts
    assert cli("info", "a.nvc", "--json").objects == [{"type": "info", **json.loads(json.dumps(facts))}]


def test_many_groups_are_cut_short_unless_asked(api, cli, facts):
    facts["groups"] = [{**facts["groups"][0], "number": n} for n in range(50)]
    api.answers["info"] = facts
    short, long = cli("info", "a.nvc").out, cli("info", "a.nvc", "-v").out
    assert "30 more groups (-v shows all)" in short and "more group" not in long
    assert len(long.splitlines()) - len(short.splitlines()) == 29


def test_what_is_unknown_is_left_open(api, cli, facts):
    facts |= {"duration": None, "bpp": None, "tracks": [], "damage": [], "truncated": True, "metadata": {}}
    facts["format"] |= {"frame_rate": "0/1", "mastering": {"max_luminance": 1}}
    facts["format"]["colour"] |= {"primaries": 2, "transfer": 2, "matrix": 2, "full_range": True}
    for group in facts["groups"]:
        del group["parameters"], group["macs_per_pixel"]
        group["error"] = "made by codec number 65535"
    api.answers["info"] = facts
    out = cli("info", "a.nvc").out
    assert "colour  unspecified, full range, HDR metadata" in out and "state   ends early" in out
    assert out.count("made by codec number 65535") == 1 and " fps" not in out


def test_foreign_text_stays_in_its_line(api, cli, facts):
    facts["metadata"] = {"note": "[red]two\nlines\x1b[31m", "list": "[1, 2]", "broken": "{"}
    api.answers["info"] = facts
    out = cli("info", "a.nvc").out
    assert "note: [red]two lines?[31m" in out and "\x1b" not in out


def test_colour_codes_without_a_name():
    form = {"colour": {"primaries": 22, "transfer": 1, "matrix": 0, "full_range": False}, "mastering": None}
    assert info.colour_line(form) == "22/BT.709/0, limited range"
