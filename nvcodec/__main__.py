"""``python -m nvcodec``: the command line."""

import sys

from nvcodec.cli import main

if __name__ == "__main__":
    sys.exit(main())
