"""Groups that lean on the one before, through files: seeking, damage, resuming, cuts of scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from nvcodec.container import Reader, Writer
from nvcodec.errors import DamagedError, FormatError, UsageError

FRAMES, GOF, KEYINT = 20, 4, 8
CHAIN = {"codec": "hnerv", "preset": "faster", "gof": GOF, "keyint": KEYINT, "threads": 1}
LEANING = [None, 0, None, 2, None]


@pytest.fixture(scope="module")
def clip(make_clip, carphone) -> Path:
    return make_clip(carphone, 48, 32, FRAMES)


@pytest.fixture(scope="module")
def coded(clip, tmp_path_factory) -> Path:
    """Five groups in three chains; few steps, as `few_steps` has them."""
    from nvcodec.codecs import sizing

    path = tmp_path_factory.mktemp("chains") / "a.nvc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizing.FEWEST_STEPS, "faster", 30)
        patch.setitem(sizing.EPOCHS, "faster", 0)
        nvcodec.encode(clip, path, **CHAIN)
    return path


@pytest.fixture
def thirty_steps(monkeypatch):
    from nvcodec.codecs import sizing

    monkeypatch.setitem(sizing.FEWEST_STEPS, "faster", 30)
    monkeypatch.setitem(sizing.EPOCHS, "faster", 0)


def groups_of(path: Path) -> list[tuple[int, int | None]]:
    with path.open("rb") as file:
        return [(entry.frame_count, entry.depends_on) for entry in Reader(file).groups]


def test_key_groups_stand_where_they_should(coded):
    assert groups_of(coded) == [(GOF, leans_on) for leans_on in LEANING]
    assert [group["depends_on"] for group in nvcodec.info(coded)["groups"]] == LEANING
    report = nvcodec.verify(coded)
    assert report.ok and report.symbols_ok == report.pictures_ok == 5


def test_any_frame_is_the_same_whatever_was_read_before(coded):
    with nvcodec.open(coded) as video:
        whole = [video.picture(i).planes for i in range(FRAMES)]
    for order in (range(FRAMES)[::-1], (7, 6, 1, 19, 12, 15, 0)):
        with nvcodec.open(coded) as video:
            for i in order:
                assert all(np.array_equal(a, b) for a, b in zip(video.picture(i).planes, whole[i], strict=True))


def test_a_frame_reads_its_chain_only(coded):
    lengths = [group["bytes"] for group in nvcodec.info(coded)["groups"]]
    with nvcodec.open(coded) as video:
        before = video.bytes_read
        video.picture(15)  # of group 3, which leans on group 2
        assert lengths[2] + lengths[3] <= video.bytes_read - before < lengths[2] + lengths[3] + 100


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("frames", [None, (5, 11), (13, 14)])
def test_decoding_a_part_and_in_parallel(coded, tmp_path, planes_of, frames, workers):
    out = tmp_path / "a.y4m"
    result = nvcodec.decode(coded, out, frames=frames, workers=workers, threads=1)
    first, last = frames or (0, FRAMES)
    assert result.frames == last - first
    with nvcodec.open(coded) as video:
        wanted = [video.picture(i).planes for i in range(first, last)]
    for ours, theirs in zip(planes_of(out), wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_what_leans_on_a_damaged_group_is_lost_and_nothing_else(coded, tmp_path):
    data = bytearray(coded.read_bytes())
    with coded.open("rb") as file:
        entry = Reader(file).groups[2]
    data[entry.offset + entry.length // 2] ^= 0xFF
    hurt = tmp_path / "hurt.nvc"
    hurt.write_bytes(data)
    result = nvcodec.decode(hurt, tmp_path / "a.y4m")
    assert result.frames == 12 and len(result.damaged) == 2
    assert any("group 3 leans on group 2" in line for line in result.damaged)
    with nvcodec.open(hurt) as video, pytest.raises(DamagedError, match="CRC"):
        video.picture(13)
    assert not nvcodec.verify(hurt).ok


def test_joined_files_keep_their_chains(coded, tmp_path):
    joined = tmp_path / "joined.nvc"
    joined.write_bytes(2 * coded.read_bytes())
    assert nvcodec.decode(joined, tmp_path / "a.y4m").frames == 2 * FRAMES
    with nvcodec.open(joined) as video:
        for a, b in zip(video.picture(27).planes, video.picture(7).planes, strict=True):
            assert np.array_equal(a, b)


def rewritten(coded: Path, out: Path, leaning: dict[int, int | None]) -> Path:
    """The file with other groups to lean on."""
    with coded.open("rb") as file, out.open("wb") as target:
        reader = Reader(file)
        writer = Writer(target, reader.header)
        for index in range(len(reader.groups)):
            group = reader.read_group(index)
            writer.write_group(replace(group, depends_on=leaning.get(index, group.depends_on)))
        writer.close()
    return out


@pytest.mark.parametrize(("group", "on"), [(3, 1), (4, 2), (3, 0)])
def test_only_the_group_before_may_be_leant_on(coded, tmp_path, group, on):
    wrong = rewritten(coded, tmp_path / "wrong.nvc", {group: on})
    for call in (lambda: nvcodec.decode(wrong, tmp_path / "a.y4m"), lambda: nvcodec.open(wrong).picture(4 * group)):
        with pytest.raises(FormatError, match="not on the one before"):
            call()
    assert not nvcodec.verify(wrong).ok


def test_a_key_that_claims_to_lean_is_found_out(coded, tmp_path):
    wrong = rewritten(coded, tmp_path / "wrong.nvc", {2: 1})
    assert nvcodec.verify(wrong).symbols_ok <= 3  # neither it nor what leans on it


def test_a_lost_group_of_a_second_sequence_is_not_replaced_by_the_first_ones(coded, tmp_path):
    data = coded.read_bytes()
    with coded.open("rb") as file:
        first = Reader(file).groups[0]
    second = bytearray(data)
    second[first.offset + first.length // 2] ^= 0xFF
    joined = tmp_path / "joined.nvc"
    joined.write_bytes(data[: first.offset + first.length] + bytes(second))  # the first sequence ends behind group 0
    result = nvcodec.decode(joined, tmp_path / "a.y4m")
    assert any("group 1 leans on group 0" in line for line in result.damaged)
    assert result.frames == GOF + FRAMES - 2 * GOF


@pytest.mark.parametrize("kept", [0.3, 0.55, 0.75])
def test_an_encode_goes_on_in_the_middle_of_a_chain(coded, clip, tmp_path, thirty_steps, kept):
    data = coded.read_bytes()
    (tmp_path / "a.nvc.part").write_bytes(data[: int(kept * len(data))])
    nvcodec.encode(clip, tmp_path / "a.nvc", resume=True, **CHAIN)
    assert (tmp_path / "a.nvc").read_bytes() == data


def test_goals_hold_over_chains(clip, tmp_path):
    result = nvcodec.encode(clip, tmp_path / "a.nvc", size=9000, workers=2, **CHAIN)
    assert result.goal_met and 8300 <= result.bytes <= 9000
    assert any("more workers change nothing" in warning for warning in result.warnings)


def test_settings_that_mean_nothing_are_refused(clip, tmp_path):
    for settings in (
        {"codec": "conditional", "keyint": 8},
        {"codec": "hnerv", "gof": 16, "keyint": 8},
        {"codec": "hnerv", "keyint": 0},
        {"codec": "hnerv", "workers": 0},
        {"codec": "hnerv", "engine": "cloud"},
    ):
        with pytest.raises(UsageError):
            nvcodec.encode(clip, tmp_path / "a.nvc", **settings)
    with pytest.raises(UsageError):
        nvcodec.decode(clip, tmp_path / "a.y4m", workers=0)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def three_scenes(make_clip, carphone, bikes, bunny, tmp_path_factory) -> Path:
    """6, 9 and 5 frames of three clips."""
    pieces = [make_clip(source, 160, 128, count) for source, count in ((carphone, 6), (bikes, 9), (bunny, 5))]
    header = pieces[0].read_bytes().partition(b"FRAME")[0]
    path = tmp_path_factory.mktemp("scenes") / "scenes.y4m"
    path.write_bytes(header + b"".join(b"FRAME" + p.read_bytes().partition(b"FRAME")[2] for p in pieces))
    return path


def test_no_group_straddles_a_cut(three_scenes, tmp_path, few_steps):
    settings = {"codec": "nirvana", "preset": "faster", "threads": 1}
    nvcodec.encode(three_scenes, tmp_path / "a.nvc", gof=4, keyint=100, **settings)
    assert groups_of(tmp_path / "a.nvc") == [
        (4, None), (2, 0), (4, None), (4, 2), (1, 3), (4, None), (1, 5),
    ]  # fmt: skip
    nvcodec.encode(three_scenes, tmp_path / "b.nvc", **settings)  # groups are even where none was asked for
    assert groups_of(tmp_path / "b.nvc") == [(6, None), (9, None), (5, None)]


def test_an_encode_with_cuts_goes_on_as_it_was(three_scenes, tmp_path, few_steps):
    settings = {"codec": "nerv", "preset": "faster", "threads": 1, "gof": 4}
    nvcodec.encode(three_scenes, tmp_path / "a.nvc", **settings)
    data = (tmp_path / "a.nvc").read_bytes()
    (tmp_path / "b.nvc.part").write_bytes(data[: len(data) // 2])
    nvcodec.encode(three_scenes, tmp_path / "b.nvc", resume=True, **settings)
    assert (tmp_path / "b.nvc").read_bytes() == data
