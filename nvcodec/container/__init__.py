"""The ``.nvc`` container: chunks <-> Python objects. Knows bytes, no pixels and no networks; see bitstream/SPEC.md."""

from nvcodec.container.crc import crc32c
from nvcodec.container.describe import describe
from nvcodec.container.group import Group, GroupHead, Unit, UnitSpan
from nvcodec.container.header import SequenceHeader
from nvcodec.container.join import GroupEntry
from nvcodec.container.layout import Damage
from nvcodec.container.library import Library, append_video, describe_file, is_library, last_group, open_library
from nvcodec.container.limits import (
    DEFAULT,
    LEVELS,
    UNLIMITED,
    Cost,
    Limits,
    check_cost,
    level_limits,
    smallest_level,
)
from nvcodec.container.reader import Reader
from nvcodec.container.stream import StreamReader
from nvcodec.container.verify import ChunkResult
from nvcodec.container.writer import Writer

__all__ = [
    "DEFAULT",
    "LEVELS",
    "UNLIMITED",
    "ChunkResult",
    "Cost",
    "Damage",
    "Group",
    "GroupEntry",
    "GroupHead",
    "Library",
    "Limits",
    "Reader",
    "SequenceHeader",
    "StreamReader",
    "Unit",
    "UnitSpan",
    "Writer",
    "append_video",
    "check_cost",
    "crc32c",
    "describe",
    "describe_file",
    "is_library",
    "last_group",
    "level_limits",
    "open_library",
    "smallest_level",
]
