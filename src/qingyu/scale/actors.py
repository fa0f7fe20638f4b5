"""What an actor on a Ray cluster is given."""

from __future__ import annotations

from qingyu.bundle import Manifest

PROCESS_BYTES = 256 << 20  # Python, Ray, the runtime and activations, beside the bundle


def memory_bytes(manifest: Manifest) -> int:
    """What to reserve for an actor that loads the bundle."""
    return manifest.bytes + PROCESS_BYTES
