"""The command `encnn`, with which three parties exchange files.

    owner      init (keys and an encrypted start), read (scores), open (the trained weights), assist
    trainer    train (on data of its own, alone or with the owner's assistance)
    user       predict
    anybody    info (what a file is), demo (all three parties), and the jobs of `encnn.experiments` by their names

Every subcommand is a module with `add_arguments` and `run`, and has one line in the table of `program`.  Three modules hold
what subcommands share: `inputs` reads CSV files, `outputs` writes files and progress lines, and `rate` chooses a learning rate.
"""

import sys
from collections.abc import Sequence

from encnn.command.status import STOPPED

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; return the exit status."""
    try:
        from encnn.command.program import run  # here and not above, so that Ctrl-C has an answer while it is imported

        return run(list(sys.argv[1:] if arguments is None else arguments), main)
    except KeyboardInterrupt:
        print("encnn: stopped", file=sys.stderr)
        return STOPPED
