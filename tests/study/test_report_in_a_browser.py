"""The page in a real browser, where there is one: it is drawn, fits the window, and has nothing to complain of."""

import re
import shutil
import subprocess

import pytest

from nvcodec.study.report import write_report
from nvcodec.study.rows import Row

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
WIDTHS = (1400, 800)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium")


def browse(page, folder, *arguments):
    """Standard output and the console's lines of the browser on a page."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
    ran = subprocess.run(
        [*command, f"--user-data-dir={folder / 'profile'}", *arguments, page.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout, [line for line in ran.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    rows = [
        Row(clip, codec, configuration, f"q{i}", factor * 0.01 * 2**i, f"{clip} {codec} {configuration} {i}",
            family=family, frames=4, psnr_yuv=30.0 + 3 * i, vmaf=60.0 + 9 * i, encode_seconds=seconds, decode_fps=20.0,
            per_frame={"psnr_yuv": [30.0, 31, 32, 33], "bits": [900, 90, 80, 70]})
        for clip in ("a.mp4", "<img src=x onerror=console.error(1)>.mp4", "c" * 90)
        for codec, configuration, family, factor, seconds in (
            ("hnerv", "fast", "fitted", 3.0, 9.0), ("hnerv", "2m", "fitted", 2.0, 90.0),
            ("x265", "medium", "classical", 1.0, 9.0), ("x265", "veryslow", "classical", 0.8, 30.0))
        for i in range(4)
    ]  # fmt: skip
    write_report(rows, folder / "r.html")
    return folder / "r.html"


def test_the_page_is_read_without_a_complaint(page, tmp_path):
    dom, console = browse(page, tmp_path, "--dump-dom")
    assert console == []
    assert dom.count("<svg") > 20 and "<img" not in dom and dom.rstrip().endswith("</html>")


@pytest.mark.parametrize("width", WIDTHS)
def test_plots_are_drawn_and_nothing_sticks_out(page, tmp_path, width):
    image = pytest.importorskip("matplotlib.image")
    shot = tmp_path / "shot.png"
    browse(page, tmp_path, f"--screenshot={shot}", f"--window-size={width},3000")
    pixels = image.imread(shot)[..., :3]
    assert pixels.shape[1] == width
    for color in (0x0072B2, 0xD55E00):  # of the two codecs
        wanted = [(color >> shift & 255) / 255 for shift in (16, 8, 0)]
        assert (abs(pixels - wanted).max(-1) < 0.02).sum() > 300
    assert abs(pixels[:, -4:] - pixels[0, 0]).max() < 0.02, "something lies at the right edge"


def test_switches_need_no_script(page, tmp_path):
    text = page.read_text()
    assert "<script" not in text
    both = re.sub(r'(id="metric-1") checked', r"\1", text)
    both = both.replace('id="metric-2"', 'id="metric-2" checked', 1)
    (other := tmp_path / "other.html").write_text(both)
    shots = []
    for name in (page, other):
        shot = tmp_path / f"{name.stem}.png"
        browse(name, tmp_path, f"--screenshot={shot}", "--window-size=1200,1600")
        shots.append(shot.read_bytes())
    assert shots[0] != shots[1]
