"""The command line: the subcommands, and how errors are reported."""

import argparse
import os
import sys
import warnings
from types import ModuleType
from typing import TextIO

import encnn
from encnn.command import assist, demo, info, init, open, predict, read, train
from encnn.command.demo import Main
from encnn.command.status import DONE, FAILED
from encnn.errors import EncnnError
from encnn.experiments.__main__ import JOBS
from encnn.experiments.__main__ import main as run_job

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


def run(given: list[str], main: Main) -> int:
    """Run the command with these arguments; return the exit status.  main: the command itself, for `demo`."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _run(given, main)
    except BrokenPipeError:  # such as in `encnn read ... | head`: whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except EncnnError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")


def _run(given: list[str], main: Main) -> int:
    """Run a job or a subcommand; return the exit status."""
    if given and given[0] in JOBS:
        return run_job(given)
    options = _parser().parse_args(given, argparse.Namespace(main=main))
    options.run(options)
    sys.stdout.flush()  # here, where a reader who has gone is answered
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
        command.set_defaults(run=module.run)
    return parser
