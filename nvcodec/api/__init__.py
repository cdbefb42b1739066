"""What ``import nvcodec`` gives: encode, decode, open, info, verify, evaluate. Nothing is imported here.

The names are loaded by ``nvcodec`` itself when first used: ``nvcodec encode --help`` reads the settings without
waiting for torch.
"""
