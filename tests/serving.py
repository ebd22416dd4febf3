"""An owner who answers through a folder, in a thread, and what tests search a trainer's side for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from secret_walker import reachable

from encnn.errors import EncnnError
from encnn.parties.assistance import folders as channels
from encnn.parties.assistance.scores import OwnersSide
from encnn.schemes.base import SecretKey


@contextmanager
def serving(side: OwnersSide, folder: Path) -> Iterator[list[EncnnError]]:
    """Serve in a thread; yield the errors that end it."""
    errors: list[EncnnError] = []

    def run() -> None:
        try:
            channels.serve(side, folder, timeout=20)
        except EncnnError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield errors
    thread.join(30)
    assert not thread.is_alive()


def secret_keys_from(*roots: object, also: tuple[type, ...] = ()) -> list[object]:
    """Return the secret keys, and the objects of other types, that the roots lead to."""
    return [found for found in reachable(*roots) if isinstance(found, (SecretKey, *also))]
