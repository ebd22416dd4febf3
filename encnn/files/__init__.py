"""Keys, ciphertexts, networks and messages on disk.

Read in this order: `archive` (the format: named arrays and a JSON header in one file, its digest and its MAC), and `schema`
(what a reader checks in a header and in arrays before it uses them).
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
