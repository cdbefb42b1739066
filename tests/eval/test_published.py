"""The published figures load as valid rows, no curve twice, and a broken file is one clear line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.published import (
    AVERAGE,
    FOLDER,
    datasets,
    published_regressions,
    published_rows,
    read_document,
)
from nvcodec.errors import InputError
from nvcodec.study.rows import Row

SEQUENCES = {"Beauty", "Bosphorus", "HoneyBee", "Jockey", "ReadySteadyGo", "ShakeNDry", "YachtRide"}
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_what_it_is_and_whose(path):
    document = read_document(path)
    assert document["curves"] and all(document[name].strip() for name in ("source", "licence", "conditions"))
    assert path.name in (FOLDER / "README.md").read_text()
    assert path.stat().st_size < 30_000


@pytest.mark.parametrize("dataset", ["bunny", "kodak", "uvg"])
def test_rows_are_valid_and_unique(dataset):
    rows = published_rows(dataset)
    assert dataset in datasets() and len({row.key for row in rows}) == len(rows) > 10
    for row in rows:
        assert Row.from_dict(json.loads(json.dumps(row.as_dict()))) == row
        assert row.family == "published" and row.source and 0 < row.bpp < (5 if dataset == "kodak" else 2)
        measures = [row.psnr_rgb, row.psnr_yuv, row.psnr_rgb_of_mse, row.psnr_yuv_of_mse]
        assert all(value is None or 20 < value < 50 for value in measures)
        assert row.ms_ssim is None or 0.8 < row.ms_ssim < 1
        assert row.ms_ssim is not None or any(measures)


def test_a_curve_rises_with_its_rate():
    curves: dict[tuple[str, str], list[Row]] = {}
    for row in (row for name in datasets() for row in published_rows(name)):
        curves.setdefault((row.clip, row.label), []).append(row)
    for (clip, label), rows in curves.items():
        if "NVP" in label:  # one size at several times
            continue
        assert [row.bpp for row in rows] == sorted(row.bpp for row in rows), (clip, label)
        psnr = [value for row in rows if (value := row.psnr_rgb or row.psnr_yuv or row.psnr_rgb_of_mse) is not None]
        assert psnr == sorted(psnr), (clip, label)


def test_known_points():
    (hinerv,) = (
        r
        for r in published_rows("uvg")
        if r.label == "HiNeRV 1920x1080, released code" and r.rate == "S" and r.clip == AVERAGE
    )
    assert (hinerv.bpp, hinerv.psnr_rgb, hinerv.psnr_yuv) == (0.014971, pytest.approx(34.80, abs=0.01), None)
    vtm = next(r for r in published_rows("uvg") if r.codec == "VTM 17.0" and r.rate == "qp22" and r.clip == "Jockey")
    assert (vtm.psnr_yuv, vtm.psnr_rgb, vtm.frames) == (43.830272, None, 600)
    x265 = next(r for r in published_rows("uvg") if r.codec == "x265" and "zerolatency" in r.configuration)
    assert x265.psnr_rgb is None and x265.psnr_yuv is None and x265.psnr_yuv_of_mse is not None
    assert x265.psnr_yuv_of_mse == pytest.approx((6 * x265.psnr_y_of_mse + x265.psnr_u_of_mse + x265.psnr_v_of_mse) / 8)
    boost = next(r for r in published_rows("bunny") if r.codec == "HNeRV-Boost" and r.rate == "1.5M")
    assert (boost.bpp, boost.psnr_rgb, boost.height) == (0.0524, 36.95, 720) and "[digitised]" in boost.label


def test_images_are_means_over_the_set():
    rows = published_rows("kodak")
    assert {row.clip for row in rows} == {AVERAGE} and all(row.psnr_rgb is not None for row in rows)
    jpeg = next(row for row in rows if row.codec == "JPEG" and row.rate == "q50")
    assert (jpeg.bpp, jpeg.psnr_rgb) == (0.906, 32.05865)


def test_sequences_have_the_datasets_own_names():
    assert {row.clip for row in published_rows("uvg")} == SEQUENCES | {AVERAGE}
    assert {fit.clip for fit in published_regressions("uvg")} == SEQUENCES | {AVERAGE}


def test_regressions():
    fits = published_regressions("bunny")
    found = {(f.codec, f.height, f.parameters, f.epochs): f for f in fits}
    assert len(found) == len(fits)
    assert found["HNeRV", 640, 1_500_000, 300].psnr_rgb == 35.57
    assert found["HNeRV", 640, 1_500_000, 300].confidence == "recalled"
    assert found["HNeRV-Boost", 720, 1_500_000, 4800].encode_hours == 11.5
    assert all(isinstance(f.epochs, int) and isinstance(f.parameters, int) for f in published_regressions("uvg"))


def test_an_unknown_dataset_is_named():
    for call in (published_rows, published_regressions):
        with pytest.raises(InputError, match="no published figures of 'clic'; there are: bunny, kodak, uvg"):
            call("clic")


WHOLE = {"dataset": "d", "source": "s", "licence": "l", "conditions": "c", "confidence": "primary"}
CURVE = {"clip": "a", "codec": "b", "bpp": [0.1, 0.2], "psnr_rgb": [30, 31]}


@pytest.mark.parametrize(
    "curve",
    [
        {**CURVE, "psnr_rgb": [30]},
        {**CURVE, "psnr": [1, 2]},
        {**CURVE, "confidence": "sure"},
        {**CURVE, "bpp": 1},
        {"clip": "a"},
        7,
    ],
)
def test_a_broken_entry_is_one_line(curve, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**WHOLE, "curves": [CURVE]}))
    assert read_document(path)["curves"] == [CURVE]
    path.write_text(json.dumps({**WHOLE, "curves": [curve]}))
    with pytest.raises(InputError, match=r"^x\.json: [^\n]+$"):
        read_document(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CURVE, *WHOLE, "curves"]), inner),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["curves", "regressions", "source"]))
def test_any_json_loads_or_is_refused(tmp_path_factory, value, where):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps({**WHOLE, where: value}))
    try:
        assert isinstance(read_document(path), dict)
    except InputError as error:
        assert "\n" not in str(error)
