"""``python -m nvcodec.entropy.bench``: how fast the entropy coder is here, beside others, and how close to ideal."""
