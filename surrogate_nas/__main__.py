"""``python -m surrogate_nas``."""

import sys

from surrogate_nas.cli import main

if __name__ == "__main__":
    sys.exit(main())
