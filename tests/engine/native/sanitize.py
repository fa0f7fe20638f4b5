"""The native engine under sanitizers: `make sanitize`, a few minutes.

AddressSanitizer and UBSan over selftest.c and over the tests of engines, ThreadSanitizer over
selftest.c, whose callers share the pool. Compiled at -O1 by gcc, under build/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TESTS = ("native/test_products.py", "native/test_native.py", "native/test_shapes.py")
ROUNDS = "40"


def main() -> None:
    for sanitizers in ("address,undefined", "thread"):
        library = built(sanitizers)
        program = library.with_name("selftest")
        compiler = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", f"-fsanitize={sanitizers}"]
        sources = [str(HERE / "selftest.c"), str(library)]
        run([*compiler, *sources, "-o", str(program), "-lm", "-lpthread"])
        run([str(program), ROUNDS])
    tests = [str(HERE.parent / name) for name in TESTS]
    run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        LD_PRELOAD=runtime("libasan.so"),
        ASAN_OPTIONS="detect_leaks=0",  # Python's own
        QINGYU_TESTED_LIBRARY=str(ROOT / "build/address,undefined/libqingyu_native.so"),
    )


def built(sanitizers: str) -> Path:
    """The library compiled with these sanitizers."""
    given = {"QINGYU_SANITIZE": sanitizers, "QINGYU_NATIVE": "must", "CC": "gcc"}
    run([sys.executable, str(ROOT / "hatch_build.py")], **given)
    return ROOT / "build" / sanitizers / "libqingyu_native.so"


def runtime(name: str) -> str:
    """Where gcc keeps the library of a sanitizer, which must be loaded before Python."""
    found = subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True)
    return str(Path(found.strip()).resolve())


def run(command: list[str], **given: str) -> None:
    print(*command, flush=True)
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **given})


if __name__ == "__main__":
    main()
