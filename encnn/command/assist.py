"""Answer a trainer who trains with your assistance, as the owner.

    encnn assist owner/secret.key shared-folder

At the same time the trainer runs `encnn train ... --with-owner shared-folder`. Both of you must be able to
reach the folder. This command decrypts the scores of each step and sends back encrypted errors. You see the
labels that the trainer sends. Models made by `encnn init --parameters compact-128` or `additive-128` can
train in this way only. Every answer is computed with your secret, so answer only trainers with whom you have
an agreement, and limit the number of answers to the number of steps that you agreed on (--trips).
"""

import argparse
from pathlib import Path

from encnn.command.outputs import MESSAGES, add_wait, remove_messages, whole
from encnn.costs.units import size_text
from encnn.parties import Owner
from encnn.parties.assistance.folders import REFUSAL, refuse, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn assist`."""
    parser.add_argument("secret", type=Path, metavar="SECRET", help="your secret, written by `encnn init`")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder for messages")
    parser.add_argument("--trips", type=whole, metavar="N", help="answer at most N requests (default: any number)")
    add_wait(parser)


def run(options: argparse.Namespace) -> None:
    """Answer until the trainer is done, and remove the messages, also after Ctrl-C."""
    owner = Owner.load(options.secret)
    assistant = owner.assistant(max_trips=options.trips)
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"Waiting for a trainer who runs `encnn train ... --with-owner` on {options.folder} ...", flush=True)
    first = not any(options.folder.glob(MESSAGES))
    try:
        serve(assistant, options.folder, options.wait)
    except KeyboardInterrupt:
        if assistant.tally.trips:
            refuse(options.folder, "it was stopped")  # so that the trainer does not wait
        raise
    finally:
        if first:  # else these are the messages of another run
            remove_messages(options.folder, keep=REFUSAL)
    tally = assistant.tally
    print(
        f"Answered {tally.trips:,} requests on {len(assistant.scores):,} rows. Received {size_text(tally.bytes_up)} and sent "
        f"{size_text(tally.bytes_down)}."
    )
