"""Rate-distortion studies: sweeps of codecs and anchors over clips, in real files and fresh processes, and reports.

Modules are imported one by one, as `nvcodec.study.runner`, so that a report needs no torch.
"""
