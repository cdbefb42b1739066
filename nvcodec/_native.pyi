"""Types of the native module (cuda_ext/native_module.cpp)."""

from typing_extensions import Buffer

def crc32c(data: Buffer, value: int = 0) -> int: ...
