"""Keys, ciphertexts, networks and messages on disk.

Read in this order: `archive` (the format: named arrays and a JSON header in one file, its digest and its MAC), and `schema`
(what a reader demands of a header and of arrays before it makes anything of them).
"""

from encnn.files.archive import (
    MAX_HEADER_BYTES,
    OVERHEAD_BYTES,
    ArraySpec,
    Contents,
    from_bytes,
    inspect,
    read,
    to_bytes,
    write,
)

__all__ = ["MAX_HEADER_BYTES", "OVERHEAD_BYTES", "ArraySpec", "Contents", "from_bytes", "inspect", "read", "to_bytes", "write"]
