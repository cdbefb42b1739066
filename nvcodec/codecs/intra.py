"""``--codec intra``: the trained autoencoder of stem, every frame coded alone; for pictures, too."""

from __future__ import annotations

from nvcodec.codecs.stem import StemCodec


class IntraCodec(StemCodec):
    """See the module."""

    name = "intra"
    codec_id = 4
    temporal = False
