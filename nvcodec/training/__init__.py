"""Trains the codecs that ship with weights on a packed corpus; see ``python -m nvcodec.training --help``."""
