"""The command line: the subcommands, how errors are reported, and the exit status.

0      done
1      an error of the package or of the system, which is reported in one sentence
2      wrong usage
130    stopped by Ctrl-C
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import TextIO

import encnn
from encnn.command import assist, demo, info, init, open, predict, read, train
from encnn.errors import EncnnError
from encnn.experiments.__main__ import JOBS
from encnn.experiments.__main__ import main as run_job

DONE, FAILED, STOPPED = 0, 1, 130

COMMANDS: dict[str, tuple[ModuleType, str]] = {
    "init": (init, "owner: make keys and an encrypted model that others can train"),
    "read": (read, "owner: decrypt scores, and compare them with labels"),
    "open": (open, "owner: decrypt the weights of a trained model"),
    "assist": (assist, "owner: answer a trainer who cannot train alone"),
    "train": (train, "trainer: train an encrypted model on data of your own"),
    "predict": (predict, "user: compute encrypted scores of texts"),
    "info": (info, "tell what a file is, and whether it holds a secret"),
    "demo": (demo, "play owner, trainer and user in a temporary folder"),
}
"""The module and the help of each subcommand.  A new subcommand is a module and a line here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _run(given)
    except EncnnError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        print("encnn: stopped", file=sys.stderr)
        return STOPPED


def _run(given: list[str]) -> int:
    """Run a job or a subcommand; return the exit status."""
    if given and given[0] in JOBS:
        return run_job(given)
    options = _parser().parse_args(given)
    options.run(options)
    return DONE


def _failed(reason: str) -> int:
    print(f"encnn: error: {reason}", file=sys.stderr)
    return FAILED


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as a sentence, without the line of code that it came from."""
    print(f"encnn: warning: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="encnn",
        description="Train a neural network whose weights are encrypted: the owner alone can read them.",
        epilog=f"Experiments, each with its own --help: {', '.join(JOBS)}.",
    )
    parser.add_argument("--version", action="version", version=f"encnn {encnn.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, what) in COMMANDS.items():
        formatter = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(name, help=what, description=module.__doc__, formatter_class=formatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run, main=main)  # `demo` runs the others
    return parser
