#!/usr/bin/env python3
"""A second reader of the .nvc container, written from SPEC.md alone: standard library only, no code of the package.

    python3 nvc_reader.py FILE.nvc           print what the file says as text
    python3 nvc_reader.py --json FILE.nvc    the same as JSON, as the vectors' .json files have it

It is meant to be read beside the specification. It holds the whole file in memory and is slow; it decodes no pictures.
Exit code 0: read, 1: refused (the error's name and one line on stderr), 3: read, but damaged or truncated.
"""

import hashlib
import json
import math
import re
import struct
import sys

SIGNATURE = b"\x89NVC\r\n\x1a\n"
CRITICAL = {b"HEAD": 1, b"GRUP": 1, b"TRAK": 0, b"PKTS": 0, b"META": 0, b"INDX": 0, b"TAIL": 1}
PLACES = re.compile(b"GRUP|TRAK|PKTS|META|INDX|TAIL|" + re.escape(SIGNATURE))
INDEX_KINDS = {1: b"GRUP", 2: b"TRAK", 3: b"PKTS", 4: b"META"}
TRACK_KINDS = {1: "audio", 2: "subtitle", 3: "attachment"}
LEVELS = {1: (1 << 19, 256, 1 << 22), 2: (1 << 20, 512, 1 << 23), 3: (1 << 21, 1024, 1 << 25),
          4: (1 << 23, 2048, 1 << 27), 5: (1 << 25, 4096, 1 << 28)}  # pixels, frames a group, chunk bytes
MINOR, TAIL_SIZE, TIME_BOUND = 0, 25, 1 << 62
CRC_TABLE = []
for crc_byte in range(256):
    for _ in range(8):
        crc_byte = crc_byte >> 1 ^ (0x82F63B78 if crc_byte & 1 else 0)
    CRC_TABLE.append(crc_byte)


class Refused(Exception):
    """A named error of SPEC.md section 8."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name = name


def need(condition, text, name="FormatError"):
    if not condition:
        raise Refused(name, text)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Fields:
    """Section 1: the notations u(n), uv, sv, str, bytes, over one payload."""

    def __init__(self, data, minor=MINOR):
        self.data, self.at, self.newer = data, 0, minor > MINOR

    def raw(self, count):
        need(count <= len(self.data) - self.at, "a field reaches over the end of its payload")
        self.at += count
        return self.data[self.at - count:self.at]

    def fixed(self, form):
        return struct.unpack("<" + form, self.raw(struct.calcsize("<" + form)))

    def uv(self, least=0, most=(1 << 63) - 1):
        value, byte, count = 0, 128, 0
        while byte >= 128:
            need(count < 9, "a number of more than 9 bytes")
            byte = self.raw(1)[0]
            value |= (byte & 127) << 7 * count
            count += 1
        need(count == 1 or byte, "a number not in its shortest form")
        need(least <= value <= most, f"{value} is outside {least}..{most}")
        return value

    def sv(self):
        value = self.uv()
        return -(value >> 1) - 1 if value & 1 else value >> 1

    def text(self, most):
        try:
            return self.raw(self.uv(0, most)).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("FormatError", "text is not UTF-8") from None

    def ratio(self, zero=False):
        a, b = self.fixed("II")
        need(b and math.gcd(a, b) == 1 and (a or zero), f"fraction {a}/{b} is forbidden")
        return f"{a}/{b}"

    def reserved(self, condition, text):
        need(condition, text, "UnsupportedError" if self.newer else "FormatError")

    def finish(self):
        need(self.newer or self.at == len(self.data), "bytes behind the last field")


def named(names, values):
    return dict(zip(names.split(), values, strict=True))


def time(value):
    need(-TIME_BOUND < value < TIME_BOUND, "a time is out of range")
    return value


# ---- sections 3 to 5: payloads ------------------------------------------------------------------------------------


def parse_head(payload):
    f = Fields(payload)
    major, minor = f.fixed("BB")
    need(major <= 1, f"version {major}.{minor}", "UnsupportedError")
    need(major, "major version 0")
    f.newer = minor > MINOR
    codec, level, width, height, chroma, depth, siting, *colour, full, turns = f.fixed("HBHHB" + "7B")
    need(codec and width and height, "a zero in codec id, width or height")
    if f.newer and level > 5:
        level = 0
    good = level <= 5 and chroma == 1 and depth in (8, 10) and siting <= 6 and full <= 1 and turns <= 3
    f.reserved(good, "a reserved value in the sequence header")
    h = {"codec_id": codec, "level": level, "minor": minor, "width": width, "height": height, "bit_depth": depth,
         "chroma_siting": siting, "timebase": f.ratio(), "frame_rate": f.ratio(zero=True), "sample_aspect": f.ratio(),
         "colour": named("primaries transfer matrix full_range", (*colour, bool(full))),
         "rotation": 90 * turns, "mastering": None, "content_light": None}
    extras = f.fixed("B")[0]
    f.reserved(extras <= 7, "reserved extras")
    if extras & 1:
        n = f.fixed("8H2I")
        h["mastering"] = {"primaries": [list(n[i:i + 2]) for i in (0, 2, 4)], "white_point": list(n[6:8]),
                          "max_luminance": n[8], "min_luminance": n[9]}
    if extras & 2:
        h["content_light"] = named("max_content max_average", f.fixed("HH"))
    if extras & 4:
        h["video"] = f.fixed("H")[0]
    f.finish()
    need(width * height <= LEVELS.get(level, (1 << 33,))[0], "the picture is over the stream's level")
    return h


def parse_times(f, count):
    mode = f.fixed("B")[0]
    f.reserved(mode <= 2, f"timing mode {mode}")
    first = time(f.sv())
    if mode == 0:
        step = f.uv()
        time(first + count * step)
        return first, first + count * step, lambda: ([first + i * step for i in range(count)], [step] * count)
    gaps = [f.uv() for _ in range(count - 1)]
    durations = [*gaps, f.uv()] if mode == 1 else [f.uv() for _ in range(count)]
    pts = [first]
    for gap in gaps:
        pts.append(pts[-1] + gap)
    end = [time(p + d) for p, d in zip(pts, durations, strict=True)][-1]
    return first, end, lambda: (pts, durations)


def beyond(header):
    """1 if groups may lean on the last group of the sequence before, number -1; else 0."""
    return int(header.get("video", 0) > 0)


def parse_group(payload, header):
    """A group's head (at the start of ``payload``), its times still folded up."""
    f = Fields(payload[:1 << 20], header["minor"])
    g = {"number": f.uv(), "first_frame": f.uv(), "frame_count": f.uv(1, 65535)}
    depends = f.uv(0, g["number"] + beyond(header))
    g["depends_on"] = g["number"] - depends if depends else None
    g["symbol_hash"], g["picture_hash"] = f.raw(8).hex(), f.raw(8).hex()
    g["pts_first"], g["end"], g["times"] = parse_times(f, g["frame_count"])
    g["config"] = f.raw(f.uv(0, 65535)).hex()
    units, end = [], 0
    for index in range(f.uv(1, 65535)):
        flags = f.fixed("B")[0]
        f.reserved(flags < 8, "reserved unit flags")
        first = None if flags & 1 else f.uv(0, 65535)
        count = 1 if flags & 2 else f.uv(0, 65535)
        first = (end if count else 0) if first is None else first
        need(count or not first, "a unit that shows nothing begins somewhere")
        refs = [index - 1] if flags & 4 else [index - f.uv(1, index) for _ in range(f.uv(0, 16))]
        need(index or not refs, "the first unit refers to another")
        need(len(set(refs)) == len(refs), "a unit refers to another twice")
        units.append([first, count, refs, f.uv()])
        end = first + count if count else end
    at = f.at
    need(f.fixed("I")[0] == crc32c(payload[:at]), "head_crc is wrong")
    end = 0
    for first, count, *_ in sorted(unit for unit in units if unit[1]):
        need(first == end, "a frame is shown twice or not at all")
        end += count
    need(end == g["frame_count"], "the units do not show each frame")
    g["units"], g["head_size"] = units, f.at
    g["size"] = f.at + sum(unit[3] for unit in units)
    return g


def parse_track(payload, minor):
    f = Fields(payload, minor)
    number, kind = f.uv(0, 1023), f.fixed("B")[0]
    f.reserved(kind in TRACK_KINDS, f"track kind {kind}")
    ratio, language, codec = f.ratio(), f.text(64), f.text(64)
    parameters = f.raw(f.uv()).hex()
    f.finish()
    track = {"kind": TRACK_KINDS[kind], "codec": codec, "timebase": ratio, "language": language}
    return number, track | {"parameters": parameters}


def parse_packets(payload, minor, track_count):
    f, rows, due = Fields(payload, minor), [], {}
    for _ in range(f.uv(1, 65535)):
        flags = f.fixed("B")[0]
        f.reserved(flags < 16, "reserved packet flags")
        need(not flags & 8 or flags & 6 == 2, "forbidden packet flags")
        track = f.uv()
        need(track < track_count, "a packet of no track")
        due_pts, due_dts = due.get(track, (0, 0))
        pts = time(due_pts + f.sv()) if flags & 2 else None
        dts = pts if flags & 8 else None
        if flags & 4:
            dts = time(f.sv() + (due_dts if pts is None else pts))
        duration, size = f.uv(), f.uv()
        ends = [old if t is None else time(t + duration) for t, old in ((pts, due_pts), (dts, due_dts))]
        due[track] = tuple(ends)
        time(duration)
        rows.append([track, pts, dts, duration, bool(flags & 1), size])
    for row in rows:
        row.append(digest(f.raw(row[5])))
    need(f.at == len(payload), "bytes behind the last packet")
    return rows


def parse_metadata(payload, minor):
    f, out = Fields(payload, minor), {}
    need(len(payload) <= 1 << 20, "metadata is too long")
    for _ in range(f.uv(0, 1024)):
        key = f.text(1 << 20)
        need(key and key not in out, "an empty or repeated key")
        out[key] = f.text(1 << 20)
    f.finish()
    return out


# ---- sections 2 and 6: the file -----------------------------------------------------------------------------------


class File:
    """``chunks`` of each sequence are dicts: offset, type, size, sound (CRC), and ``row`` for groups.

    ``only``: the number of the video of a library whose bytes ``data`` are; else None.
    """

    def __init__(self, data, only=None):
        self.data, self.damage = data, []
        self.budget = 8 * len(data)
        need(data, "not an nvc file: it is empty")
        need(SIGNATURE.startswith(data[:8]), "not an nvc file")
        need(len(data) >= 8, "the file ends before its header", "TruncatedError")
        self.sequences, end = [], len(data)
        while end:
            sequence = self.by_index(end)
            if sequence is None:
                break
            self.sequences.insert(0, sequence)
            end = sequence["offset"]
        if end:
            self.sequences = self.scan(0, end) + self.sequences
        self.gaps = []  # places behind lost videos
        self.number_videos(only)

    def number_videos(self, only):
        """Section 6.3: the videos of a library are numbered 0, 1, 2 ...; damage may have taken some."""
        numbers = [sequence["header"].get("video") for sequence in self.sequences]
        if only is not None:
            need(numbers == [only], f"other sequences than video {only}")
        elif numbers != [None] * len(numbers):
            need(None not in numbers, "sequences with and without the number of a video")
            need(len({s["header"]["codec_id"] for s in self.sequences}) == 1, "a library of several codecs")
            due, hurt = 0, False
            for sequence, number in zip(self.sequences, numbers, strict=True):
                need(number == due or (number > due and hurt), f"video {number} where {due} is due")
                self.gaps += [[sequence["offset"], "order"]] if number > due else []
                due, hurt = number + 1, hurt or sequence["hurt"] or not sequence["complete"]

    def chunk(self, at, end):
        """(type, flags, size) of the chunk at ``at``, or None if it is forbidden or ends behind ``end``."""
        if at < 0 or at + 13 > end:
            return None
        kind, flags, length = struct.unpack_from("<4sBI", self.data, at)
        good = re.fullmatch(rb"[A-Za-z][A-Za-z0-9]{3}", kind) and length < 1 << 31 and at + 13 + length <= end
        return (kind, flags, length + 13) if good else None

    def sound(self, at, size):
        self.budget -= size
        return crc32c(self.data[at:at + size - 4]) == struct.unpack_from("<I", self.data, at + size - 4)[0]

    def payload(self, at, size):
        return self.data[at + 9:at + size - 4]

    def open_sequence(self, at, end):
        need(at + 17 <= end, "the file ends before its header", "TruncatedError")
        kind, flags, length = struct.unpack_from("<4sBI", self.data, at + 8)
        need(kind == b"HEAD" and length <= 4096, "the header is damaged", "DamagedError")
        need(at + 21 + length <= end, "the file ends before its header", "TruncatedError")
        need(self.sound(at + 8, length + 13), "the header's CRC is wrong", "DamagedError")
        header = parse_head(self.payload(at + 8, length + 13))
        self.judge(kind, flags, header)
        return {"offset": at, "header": header, "chunks": [], "complete": False, "start": at + 21 + length,
                "hurt": False, "next": (0, 0), "end_pts": 0, "index": 0}

    def judge(self, kind, flags, header):
        if flags & 14:
            raise Refused("UnsupportedError" if header["minor"] > MINOR else "FormatError", "reserved chunk flags")
        if kind not in CRITICAL:
            need(not flags & 1, f"unknown critical chunk {kind}", "UnsupportedError")
        else:
            need(CRITICAL[kind] == flags & 1, f"wrong critical flag of {kind}")

    def by_index(self, end):
        at = end - TAIL_SIZE
        found = self.chunk(at, end)
        if not found or found[0] != b"TAIL" or found[2] != TAIL_SIZE or not self.sound(at, TAIL_SIZE):
            return None
        index_size, size = struct.unpack("<IQ", self.payload(at, TAIL_SIZE))
        start = end - size
        if start < 0 or self.data[start:start + 8] != SIGNATURE:
            return None
        try:
            sequence = self.open_sequence(start, at)
        except Refused as error:
            if error.name in ("DamagedError", "TruncatedError"):
                return None
            raise
        self.judge(b"TAIL", found[1], sequence["header"])
        sequence["complete"] = True
        if index_size and self.read_index(sequence, at - index_size, at):
            return sequence
        before = len(self.damage)
        again = self.scan(start, end)
        if len(again) == 1 and again[0]["complete"]:
            return again[0]
        del self.damage[before:]
        return None

    def read_index(self, sequence, at, end):
        found = self.chunk(at, end) if at >= sequence["start"] else None
        if not found or found[0] != b"INDX" or at + found[2] != end or not self.sound(at, found[2]):
            return False
        f = Fields(self.payload(at, found[2]), sequence["header"]["minor"])
        rows, offset, number, frame, pts = [], sequence["start"], 0, 0, 0
        try:
            for _ in range(f.uv()):
                kind = f.fixed("B")[0]
                f.reserved(kind <= 5, "index kind")
                row = {"offset": offset, "type": INDEX_KINDS.get(kind, b"xxxx"), "critical": kind in (1, 5)}
                row["size"] = f.uv(40 if kind == 1 else 13, at - offset)
                if kind == 1:
                    count, depends = f.uv(1, 65535), f.uv(0, number + beyond(sequence["header"]))
                    pts = time(pts + f.sv())
                    row["row"] = (number, frame, count, number - depends if depends else None, pts)
                    number, frame = number + 1, frame + count
                rows.append(row)
                offset += row["size"]
            sequence["end_pts"] = time(f.sv())
            f.finish()
            need(offset == at, "the index does not end where it should")
        except Refused:
            return False
        self.judge(b"INDX", found[1], sequence["header"])
        sequence["chunks"] = rows
        for row in rows:
            need(row["type"] != b"xxxx" or not row["critical"], "an unknown critical chunk", "UnsupportedError")
            row["sound"] = self.sound(row["offset"], row["size"])
            if not row["sound"]:
                self.damage.append([row["offset"], "crc"])
        return True

    def scan(self, at, end):
        self.done, self.opened = [], False
        while at is not None and at < end:
            signature = self.data[at:at + 8] == SIGNATURE and at + 8 <= end
            at = self.begin(at, end) if signature else self.step(at, end)
        return self.done

    def begin(self, at, end):
        try:
            sequence = self.open_sequence(at, end)
        except Refused as error:
            if not self.done or error.name not in ("DamagedError", "TruncatedError"):
                raise
            self.opened = False
            return self.search(at, end, "header")
        self.done.append(sequence)
        self.opened = True
        return sequence["start"]

    def search(self, at, end, kind):
        place = None
        for match in PLACES.finditer(self.data, at + 1, end):
            found = self.chunk(match.start(), end)
            if match.group() == SIGNATURE or (self.known(found) and self.sound(match.start(), found[2])):
                place = match.start()
                break
            if self.budget < 0:
                break
        if place is not None or kind == "crc" or not self.opened:
            self.hurt(at, kind)
        return place

    def known(self, found):
        return found and CRITICAL.get(found[0]) == found[1] & 1 and not found[1] & 14

    def hurt(self, at, kind):
        self.damage.append([at, kind])
        self.done[-1]["hurt"] |= kind != "index"

    def step(self, at, end):
        found = self.chunk(at, end)
        if not found or not self.opened or self.budget < 0:
            return self.search(at, end, "header")
        kind, flags, size = found
        behind = at + size
        if self.sound(at, size):
            self.take(at, kind, flags, size)
            return behind
        after = self.chunk(behind, end)
        signature = self.data[behind:behind + 8] == SIGNATURE
        if not (behind == end or signature or self.known(after) or (after and self.sound(behind, after[2]))):
            return self.search(at, end, "crc")
        if kind == b"INDX" and after:
            self.hurt(at, "index")
        else:
            self.hurt(at, "crc")
            self.add(at, kind, size, self.damaged_group(at, size) if kind == b"GRUP" else None, False)
        return behind

    def add(self, at, kind, size, group, sound=True):
        row = {"offset": at, "type": kind, "size": size, "sound": sound}
        if group:
            row["row"] = tuple(group[k] for k in ("number", "first_frame", "frame_count", "depends_on", "pts_first"))
            self.done[-1]["next"] = (group["number"] + 1, group["first_frame"] + group["frame_count"])
            self.done[-1]["end_pts"] = group["end"]
        self.done[-1]["chunks"].append(row)

    def follows(self, group, gap):
        number, frame = self.done[-1]["next"]
        missing, frames = group["number"] - number, group["first_frame"] - frame
        return (missing == frames == 0) or (gap and missing > 0 and missing <= frames <= 65535 * missing)

    def damaged_group(self, at, size):
        try:
            group = parse_group(self.payload(at, size), self.done[-1]["header"])
        except Refused:
            return None
        return group if group["size"] == size - 13 and self.follows(group, True) else None

    def take(self, at, kind, flags, size):
        sequence = self.done[-1]
        self.judge(kind, flags, sequence["header"])
        if kind == b"HEAD" or (sequence["index"] and kind != b"TAIL"):
            self.stray(at)
        elif kind == b"GRUP":
            group = parse_group(self.payload(at, size), sequence["header"])
            need(group["size"] == size - 13, "units and payload differ in length")
            if self.follows(group, sequence["hurt"]):
                self.add(at, kind, size, group)
            else:
                self.stray(at)
        elif kind == b"INDX":
            sequence["index"] = size
            rows = sequence["chunks"]
            if not sequence["hurt"] and not self.index_agrees(self.payload(at, size), rows, sequence):
                self.hurt(at, "index")
        elif kind == b"TAIL":
            need(size == TAIL_SIZE, "a tail of another size")
            index_size, length = struct.unpack("<IQ", self.payload(at, size))
            if length != at + TAIL_SIZE - sequence["offset"]:
                self.stray(at)
                return
            mine = [d for d in self.damage if d[0] >= sequence["offset"]]
            if index_size != sequence["index"] and not mine:
                self.hurt(at, "index")
            sequence["complete"], self.opened = True, False
        else:
            self.add(at, kind, size, None)

    def index_agrees(self, payload, rows, sequence):
        """True if an index (in the only form a writer can give it) lists ``rows``."""
        def uv(value):
            return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + uv(value >> 7)

        def sv(value):
            return uv(2 * value if value >= 0 else -2 * value - 1)

        kinds = {kind: number for number, kind in INDEX_KINDS.items()}
        out, last = uv(len(rows)), 0
        for row in rows:
            out += bytes([kinds.get(row["type"], 0)]) + uv(row["size"])
            if "row" in row:
                number, _, count, on, pts = row["row"]
                out += uv(count) + uv(0 if on is None else number - on) + sv(pts - last)
                last = pts
        out += sv(sequence["end_pts"])
        return payload[:len(out)] == out and (len(payload) == len(out) or sequence["header"]["minor"] > MINOR)

    def stray(self, at):
        need(self.done[-1]["hurt"], f"the chunk at byte {at} is out of place")
        self.damage.append([at, "order"])


# ---- joining and printing -----------------------------------------------------------------------------------------


def pixels_and_bytes(header, frames=0, size=0):
    """Section 7.2: refuse what is over the reader's limits, then what is over the stream's own level."""
    amounts = (header["width"] * header["height"], frames, size)
    need(all(a <= b for a, b in zip(amounts, LEVELS[5], strict=True)), f"over the limits: {amounts}", "LimitError")
    if header["level"]:
        need(all(a <= b for a, b in zip(amounts, LEVELS[header["level"]], strict=True)), "over the stream's level")


def same_video(a, b):
    return all(a[key] == b[key] for key in a if key not in ("level", "minor"))  # "video" is in both or in none


def describe(data):
    """All that the file says; raises :class:`Refused`. Of a library: of each video, as if it were a file alone."""
    file = File(data)
    if "video" not in file.sequences[0]["header"]:
        return describe_video(file)
    starts = [sequence["offset"] for sequence in file.sequences]
    parts, damage = [], file.gaps
    for sequence, end in zip(file.sequences, [*starts[1:], len(data)], strict=True):
        start = sequence["offset"]
        parts.append(describe_video(File(data[start:end], sequence["header"]["video"])))
        damage += [[start + at, kind] for at, kind in parts[-1]["damage"]]
    return {"videos": parts, "truncated": any(part["truncated"] for part in parts), "damage": sorted(damage)}


def describe_video(file):
    out = {"sequences": [], "frame_count": 0, "truncated": False, "metadata": {}, "tracks": [], "groups": [],
           "packets": [], "passthrough_bytes": 0}
    end = 0
    for number, sequence in enumerate(file.sequences):
        header = sequence["header"]
        pixels_and_bytes(header)
        out["sequences"].append({key: sequence[key] for key in ("offset", "complete", "header")})
        out["truncated"] |= not sequence["complete"]
        end = add_sequence(file, out, number, sequence, end)
    return out | {"damage": sorted(file.damage)}


def add_sequence(file, out, number, sequence, end):
    header, minor = sequence["header"], sequence["header"]["minor"]
    same = same_video(out["sequences"][0]["header"], header)
    rows = [chunk["row"] for chunk in sequence["chunks"] if "row" in chunk]
    shift = end - rows[0][4] if number and same and rows and rows[0][4] < end else 0
    base, own, tracks, batches, hurt = out["frame_count"], {}, [], [], sequence["hurt"]
    for chunk in sequence["chunks"]:
        kind, size = chunk["type"], chunk["size"]
        payload = file.payload(chunk["offset"], size)
        if kind in (b"TRAK", b"PKTS"):
            out["passthrough_bytes"] += size
        if chunk["sound"] and kind != b"xxxx":
            found, flags, length = struct.unpack_from("<4sBI", file.data, chunk["offset"])
            need((kind, size) == (found, length + 13), "the index is wrong about a chunk")
            file.judge(kind, flags, header)
        if kind == b"GRUP" and "row" in chunk:
            need(same, f"sequence {number} is another video than the first", "UnsupportedError")
            out["groups"].append(describe_group(chunk, payload, header, number, base, shift))
            out["frame_count"] = base + chunk["row"][1] + chunk["row"][2]
        elif kind == b"META":
            hurt |= not chunk["sound"]
            own |= parse_metadata(payload, minor) if chunk["sound"] else {}
        elif kind == b"TRAK":
            if not chunk["sound"]:
                hurt = True
                continue
            local, track = parse_track(payload, minor)
            if local == len(tracks) or (hurt and local > len(tracks)):
                tracks += [None] * (local - len(tracks)) + [add_track(out, track, local, number)]
            else:
                need(hurt, "a track that does not follow the one before")
                file.damage.append([chunk["offset"], "order"])
        elif kind == b"PKTS" and chunk["sound"]:
            batches.append((payload, len(tracks)))
    for payload, known in batches:
        for packet in parse_packets(payload, minor, 1024 if hurt else known):
            add_packet(out, packet, tracks + [None] * 1024, shift, header)
    out["metadata"] = own | out["metadata"]
    return sequence["end_pts"] + shift if rows else end


def describe_group(chunk, payload, header, sequence, base, shift):
    number, first, count, on, _ = chunk["row"]
    out = {"sequence": sequence, "number": number, "first_frame": base + first, "frame_count": count,
           "depends_on": on, "offset": chunk["offset"], "length": chunk["size"], "damaged": not chunk["sound"]}
    pixels_and_bytes(header, count, len(payload))
    if not chunk["sound"]:
        return out
    group = parse_group(payload, header)
    found = tuple(group[k] for k in ("number", "first_frame", "frame_count", "depends_on", "pts_first"))
    need(found == chunk["row"] and group["size"] == len(payload), "the index and the group differ")
    pts, durations = group["times"]()
    at, units = group["head_size"], []
    for first, count, refs, length in group["units"]:
        units.append([first, count, refs, length, digest(payload[at:at + length])])
        at += length
    keep = {key: group[key] for key in ("config", "symbol_hash", "picture_hash")}
    return out | keep | {"pts": [p + shift for p in pts], "durations": durations, "units": units}


def add_track(out, track, local, sequence):
    if not (sequence and out["tracks"][local:local + 1] == [track]):
        out["tracks"].append(track)
        return len(out["tracks"]) - 1
    return local


def add_packet(out, packet, tracks, shift, header):
    track = tracks[packet[0]]
    if track is None:
        return
    a, b = map(int, header["timebase"].split("/"))
    c, d = map(int, out["tracks"][track]["timebase"].split("/"))
    top, bottom = 2 * shift * a * d, 2 * b * c
    ticks = (top + bottom // 2) // bottom
    if (2 * ticks - 1) * bottom == 2 * top and ticks % 2:
        ticks -= 1  # halves go to the even neighbour
    out["packets"].append([track, *(None if t is None else t + ticks for t in packet[1:3]), *packet[3:]])


def main(arguments):
    names = [a for a in arguments if a != "--json"]
    if len(names) != 1 or names[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        with open(names[0], "rb") as file:
            report = describe(file.read())
    except (OSError, Refused) as error:
        print(f"{getattr(error, 'name', 'OSError')}: {error}", file=sys.stderr)
        return 1
    if "--json" in arguments:
        print(json.dumps(report, indent=1, sort_keys=True))
    else:
        for key, value in report.items():
            for item in value if isinstance(value, list) else [value]:
                print(f"{key}: {json.dumps(item)}")
    return 3 if report["damage"] or report["truncated"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
