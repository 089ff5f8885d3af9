"""``python -m ghmpp``: the same as the command ``ghmpp``."""

from __future__ import annotations

import sys

from ghmpp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
