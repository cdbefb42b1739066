"""Motion without a network: a field of vectors, the prediction that it gives, its bytes, and a search for it.

No codec uses this room yet. ``bitstream/MOTION.md`` is the draft of its normative part.
"""
