"""Motion without a network: a field of vectors, the prediction that it gives, its bytes, and a search for it.

``bitstream/MOTION.md`` is normative; the conditional codec embeds it (``bitstream/CONDITIONAL.md``).
"""
