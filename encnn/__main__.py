"""`python -m encnn`: the command `encnn`."""

import sys

from encnn.command import main

if __name__ == "__main__":
    sys.exit(main())
