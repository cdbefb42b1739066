"""nvcodec: a neural video codec with a real bitstream."""

from nvcodec._version import __version__

__all__ = ["__version__"]
