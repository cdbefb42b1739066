"""The slider in a real browser, driven as a reader drives it, over the DevTools protocol."""

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import time

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

from PIL import Image

from nvcodec.study.report import write_report
from nvcodec.study.rows import Row

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
ORIGINAL, OURS, ANCHOR = (0, 200, 0), (220, 0, 0), (0, 0, 220)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium")


def options(folder):
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
    return [BROWSER, *quiet, f"--user-data-dir={folder}"]


class Browser:
    """One page of a headless browser, behind two pipes: commands go in, answers and events come out."""

    def __init__(self, folder):
        inward, outward = os.pipe(), os.pipe()

        def place():  # the browser reads commands from descriptor 3 and writes to 4
            high = [os.dup(inward[0]), os.dup(outward[1])]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [*options(folder), "--remote-debugging-pipe", "about:blank"],
            preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(inward[0])
        os.close(outward[1])
        self.write, self.read = os.fdopen(inward[1], "wb", 0), os.fdopen(outward[0], "rb", 0)
        self.rest, self.numbers, self.session, self.events = b"", itertools.count(1), None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=1200, height=900, deviceScaleFactor=1, mobile=False)

    def message(self):
        while b"\0" not in self.rest:
            data = self.read.read(1 << 20)
            assert data, "the browser has ended"
            self.rest += data
        first, self.rest = self.rest.split(b"\0", 1)
        return json.loads(first)

    def call(self, method, **parameters):
        number = next(self.numbers)
        extra = {"sessionId": self.session} if self.session else {}
        self.write.write(json.dumps({"id": number, "method": method, "params": parameters, **extra}).encode() + b"\0")
        while (said := self.message()).get("id") != number:
            self.events.append(said)
        assert "result" in said, said
        return said["result"]

    def run(self, code):
        said = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def complaints(self):
        self.run("0")
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event for event in self.events if event.get("method") in kinds]

    def open(self, page):
        self.call("Page.navigate", url=page.as_uri())
        for _ in range(200):
            if self.run("document.readyState") == "complete" and self.run("location.protocol") == "file:":
                break
            time.sleep(0.05)
        self.run("Promise.all([...document.querySelectorAll('.pair img')].map((image) => image.decode()))")
        self.run("document.querySelector('.stage').scrollIntoView()")

    def choose(self, name, text):
        """Sets a select to the option that begins with a text, as a reader would."""
        code = """(async () => {
          const select = document.querySelector("[name=%s]");
          select.value = [...select.options].find((option) => option.text.startsWith(%s)).value;
          select.dispatchEvent(new Event("change", { bubbles: true }));
          await Promise.all([...document.querySelectorAll(".pair img")].map((image) => image.decode()));
        })()"""
        self.run(code % (name, json.dumps(text)))

    def mouse(self, kind, x, y):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def colors(self, *shares):
        """The colours at these shares of the width of the pair, a third down its height."""
        box = self.box()
        shot = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        with Image.open(io.BytesIO(shot)) as image:
            pixels = image.convert("RGB")
            return [pixels.getpixel((int(box["x"] + share * box["width"]), int(box["y"] + 60))) for share in shares]

    def box(self):
        return self.run("document.querySelector('.pair').getBoundingClientRect().toJSON()")

    def captions(self):
        return self.run("[...document.querySelectorAll('.captions p')].map((p) => p.innerText.replace('\\n', ' | '))")

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.write.close()
        self.read.close()


def row(clip, codec, configuration, index, color, folder, **more):
    pictures, originals = {}, {}
    (folder / "r.pictures").mkdir(exist_ok=True)
    for frame in (2, 7):
        for names, of, shade in ((pictures, f"{codec}{index}", color), (originals, "original", ORIGINAL)):
            names[str(frame)] = f"r.pictures/{clip[:1]}-{of}-{frame}.png"
            shade = (*shade[:2], shade[2] + frame) if clip.startswith("a") else (*shade[:2], shade[2] + 30 + frame)
            Image.new("RGB", (160, 120), shade).save(folder / names[str(frame)])
    values = {"psnr_yuv": [30.0 + index + 0.1 * frame for frame in range(9)]}
    return Row(
        clip, codec, configuration, f"q{index}", 0.01 * 2**index, f"{clip} {codec} {index}", frames=9, width=160,
        height=120, psnr_yuv=30.0 + 3 * index, pictures=pictures, source_pictures=originals, per_frame=values, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slider")
    rows = [
        made
        for clip in ("a.mp4", "b <img src=x onerror=alert(1)>.mp4")
        for i in range(3)
        for made in (row(clip, "hnerv", "fast", i, OURS, folder, family="fitted"),
                     row(clip, "x265", "medium", i, ANCHOR, folder))
    ]  # fmt: skip
    (folder / "r.jsonl").write_text("\n".join(json.dumps(r.as_dict()) for r in rows))
    write_report(rows, folder / "r.html", results=[folder / "r.jsonl"])
    return folder / "r.html"


@pytest.fixture
def browser(page, tmp_path):
    started = Browser(tmp_path / "profile")
    try:
        started.open(page)
        yield started
    finally:
        started.close()


def near(found, wanted):
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 12


def test_the_divider_follows_mouse_and_keys(browser):
    assert browser.captions() == ["hnerv fast q1 | 0.0200 bpp, 33.00 dB; this frame 31.20 dB",
                                  "x265 medium q1 | 0.0200 bpp, 33.00 dB; this frame 31.20 dB"]  # fmt: skip
    first, second = browser.colors(0.4, 0.6)
    assert near(first, OURS) and near(second, ANCHOR)
    box = browser.box()
    y = box["y"] + box["height"] * 0.7
    browser.mouse("mousePressed", box["x"] + box["width"] * 0.5, y)
    for share in (0.4, 0.3, 0.2):
        browser.mouse("mouseMoved", box["x"] + box["width"] * share, y)
    browser.mouse("mouseReleased", box["x"] + box["width"] * 0.2, y)
    assert abs(float(browser.run("document.querySelector('.pair input').value")) - 20) < 1
    assert all(near(color, ANCHOR) for color in browser.colors(0.4, 0.6)) and near(*browser.colors(0.1), OURS)
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="End", code="End", windowsVirtualKeyCode=35)
    assert all(near(color, OURS) for color in browser.colors(0.1, 0.4, 0.95))
    assert browser.complaints() == []


def test_clips_frames_results_and_sizes_change_what_is_seen(browser):
    browser.choose("clip", "b <img")
    assert near(*browser.colors(0.9), (0, 0, 252)) and "this frame 31.20" in browser.captions()[0]
    browser.choose("frame", "7")
    assert "this frame 31.70 dB" in browser.captions()[0]
    browser.choose("right", "original")
    assert near(*browser.colors(0.9), (0, 200, 37)) and browser.captions()[1].strip() == "original"
    browser.choose("clip", "a.mp4")
    assert browser.captions()[1].strip() == "original", "a reader's choice is kept from clip to clip"
    browser.choose("left", "x265 medium q2")
    assert browser.captions()[0].startswith("x265 medium q2") and near(*browser.colors(0.1), ANCHOR)
    assert browser.box()["width"] > 200
    for size, times in (("1:1", 1), ("4:1", 4)):
        browser.choose("size", size)
        assert browser.box()["width"] == 160 * times and browser.box()["height"] == 120 * times
    assert browser.run("document.querySelector('[name=left]').options.length") == 7
    assert browser.complaints() == []


def test_nothing_sticks_out(browser):
    for width in (1400, 800, 380):
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        for size in ("fit", "1:1", "4:1"):
            browser.choose("size", size)
            assert browser.run("document.documentElement.scrollWidth") <= width
    browser.choose("size", "fit")
    assert browser.box()["width"] <= 380


def test_no_other_script_runs(browser):
    browser.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    assert browser.run("window.ran === undefined")
    assert "Content Security Policy" in json.dumps(browser.complaints())


def test_without_script_the_pair_is_seen_side_by_side(browser):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.call("Emulation.setDeviceMetricsOverride", width=1200, height=5000, deviceScaleFactor=1, mobile=False)
    browser.events.clear()
    browser.call("Page.reload")
    while not any(event.get("method") == "Page.loadEventFired" for event in browser.events):
        browser.call("Page.bringToFront")
    shot = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
    with Image.open(io.BytesIO(shot)) as image:
        counts = {color: count for count, color in image.convert("RGB").getcolors(1 << 24)}
    assert counts.get((220, 0, 2), 0) > 20_000 and counts.get((0, 0, 222), 0) > 20_000
    assert not any(near(color, ORIGINAL) and count > 10_000 for color, count in counts.items())
