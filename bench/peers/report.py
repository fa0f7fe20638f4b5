"""Write docs/performance.md and its plots from the files of results.

    make bench-report          or: python -m bench.peers.report bench/results

Files are told apart by their "kind": peers (compare.py), roofline (roofline.py), profile
(profile_graph.py), served (bench/load.py --against).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from bench.peers import tables
from bench.peers.bars import Bar, plot
from bench.peers.environments import ROOT
from bench.peers.served import served
from bench.peers.tables import Results

DOCS = ROOT / "docs"
SHOWN = ("1x16", "1x128", "8x128", "mixed x16")  # workloads of a plot
FIRST = "default"  # the checkpoint that comes first

HEAD = """# Performance, side by side

Written by `make bench-report` from the files in `bench/results/`; do not edit by hand. How it was
measured stands [at the end](#how-it-is-measured). {machine}.

## In short
"""

METHOD = """
## How it is measured

    python -m bench.peers.environments          # one virtual environment a peer, .cache/peers
    .cache/peers/make_onnx/bin/python -m bench.peers.shapes .cache/shapes  # random weights
    python -m bench.peers.compare CHECKPOINT --texts LINES --out bench/results/NAME.json
    python -m bench.peers.compare CHECKPOINT --task embed --out bench/results/embed-NAME.json
    python -m bench.peers.roofline CHECKPOINT --out bench/results/roofline-NAME.json
    python -m bench.peers.profile_graph CHECKPOINT --out bench/results/profile-NAME.json
    make bench-report

- **The same for all:** checkpoint, texts, threads and machine; text in, the five best tokens and
  their probabilities out (or, for embeddings, means over tokens of length 1). Every peer is a
  process of its own in an environment of its own; exporting, converting and calibrating are done
  before, elsewhere. A peer that could not do the work is named with its reason.
- **Texts** are cut from lines of real Chinese text to exactly the tokens that a workload says;
  `mixed` are lines as they come, from 8 to 512 tokens, 16 at once.
- **Interleaved:** in each round every peer has a turn at every workload, in an order that turns and
  reverses, and Qingyu INT8 has one before and one after each. A turn is the median of calls for
  0.15 s after one that is not counted, three calls at least; calls of half a second and more count
  from the first. Only the peer whose turn it is runs: the others are stopped (SIGSTOP), so
  nobody's spinning threads cost anybody else.
- **Ratio:** a peer's time over the mean of Qingyu's before and after it. Tables give the median
  over rounds, with the least and the most.
- **Cold start** is from starting the process to the first answer, files in the page cache; that of
  torch.compile is with its compiling, and shorter where its cache on disk is warm. **Memory**
  is what Linux says is resident after the first answer (idle), after the last round, and at most.
  **Installed** is the site-packages of the environment without pip. **CPU seconds** are of all
  threads.
- **Same answers:** 200 texts of up to 128 tokens, against transformers FP32: how often the first
  token is the same, and how many of the best five. On random weights it says nothing and is left
  out; speed and memory do not depend on what weights are.
- **Peak:** ONNX Runtime's INT8 product on blocks that stay in cache, measured in every round.
  Operations are the least a text needs, 2 for each pair of factors: the last layer's queries and
  feed-forward for the asked row alone, the vocabulary's head on one row. FP32 and BF16 engines are
  held against the INT8 peak too. The least time of a text is its operations at the peak, or its
  bytes (each weight once, a byte each) at the rate of copying, whichever is longer; weights that
  stay in the last-level cache come faster than that.

What was tried to come nearer, and where the runtime is the wall, is told in
[bench/peers/README.md](../bench/peers/README.md#what-was-tried).
"""


def main() -> None:
    found = [json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    (DOCS / "performance.md").write_text(page(found), "utf-8")
    for results in of(found, "peers"):
        (DOCS / picture(results)).write_text(bars(results), "utf-8")
    print(DOCS / "performance.md")


def page(found: list[Results]) -> str:
    peers = list(of(found, "peers"))
    if not peers:
        raise SystemExit("no results of compare.py there")
    text = HEAD.format(machine=tables.where(peers[0])) + "\n" + summary(found)
    for results in peers:
        text += section(results)
    text += "".join(served(results) for results in of(found, "served"))
    text += limits(found) + instructions() + METHOD
    return text


def of(found: Iterable[Results], kind: str) -> list[Results]:
    """Results of a kind, the default's first, fill-mask before embeddings."""
    some = [one for one in found if one.get("kind") == kind]

    def place(one: Results) -> tuple[bool, bool, str]:
        name = one.get("checkpoint", "")
        return one.get("task", "") == "embed", name != FIRST, name

    return sorted(some, key=place)


def title(results: Results) -> str:
    return str(results["checkpoint"]) + (", embeddings" if results["task"] == "embed" else "")


def picture(results: Results) -> str:
    name = results["checkpoint"] + ("-embed" if results["task"] == "embed" else "")
    return f"images/performance-{name}.svg"


def summary(found: list[Results]) -> str:
    """Against the fastest peer with equal answers, for each checkpoint."""
    rows = []
    for results in of(found, "peers"):
        cells = []
        for workload in SHOWN:
            name, ratios = tables.best(results, workload)
            cells.append(f"{tables.spread(ratios)} {name}")
        rows.append([title(results), *cells])
    text = "Time of the fastest peer whose answers are as near to FP32, over Qingyu INT8's"
    text += " (of all peers where weights are random and answers tell nothing):\n\n"
    text += tables.table(["", *SHOWN], rows)
    rows = []
    for results in of(found, "peers"):
        peers = results["peers"]
        ours = peers[results["ours"]]
        others = tables.rivals(results)
        cells = []
        for field in ("rss_after", "installed_bytes", "model_bytes"):
            least = min(others, key=lambda one: peers[one][field])
            cells.append(f"{ours[field] / peers[least][field]:.2f} {least}")
        fastest = tables.best(results, "mixed x16")[0]
        cells.append(f"{ours['rss_after'] / peers[fastest]['rss_after']:.2f} {fastest}")
        torch = peers.get("hugging_face:fp32")
        share = f"{ours['installed_bytes'] / torch['installed_bytes']:.2f}" if torch else ""
        rows.append([title(results), *cells, share])
    text += "\nWhat Qingyu INT8 takes, over the peer that takes least, the fastest peer on mixed\n"
    text += "lengths, and transformers with torch for the CPU:\n\n"
    head = ["", "RSS after load, least", "installed, least", "model, least"]
    return text + tables.table([*head, "RSS, fastest peer", "installed, torch"], rows)


def section(results: Results) -> str:
    """One checkpoint and task."""
    text = f"\n## {title(results)}\n\n{tables.where(results)}; rounds: {results['rounds']}, "
    text += f"{results['minutes']} minutes in all.\n\n![Ratios of times, peers over Qingyu INT8]"
    text += f"({picture(results)})\n\n{tables.ratios(results)}\n{tables.times(results)}\n"
    text += tables.costs(results)
    for name, reason in results["missing"].items():
        text += f"\nMissing: {name}: {reason}.\n"
    return text


def bars(results: Results) -> str:
    peers = [name for name in results["peers"] if name != results["ours"]]
    panels = []
    for workload in SHOWN:
        found = {name: results["peers"][name]["ratios"][workload] for name in peers}
        bars = [Bar(name, median(one), min(one), max(one)) for name, one in found.items()]
        panels.append((f"{workload}, times ours", bars))
    return plot(panels)


def limits(found: list[Results]) -> str:
    text = "\n## How far from the machine's limit\n"
    for results in of(found, "peers"):
        if results["task"] == "fill-mask":
            text += (
                f"\n### {title(results)}: whole engines\n\n{tables.ceiling(results)} Shares of\n"
            )
            text += f"the INT8 peak, text in to five tokens out:\n\n{tables.limits(results)}"
    for results in of(found, "roofline"):
        text += f"\n### {results['checkpoint']}: the encoder\n\n{tables.where(results)}. "
        text += f"{tables.ceiling(results)}\n\n{tables.roofline(results)}"
    for results in of(found, "profile"):
        text += f"\n### {results['checkpoint']}: where the encoder's time goes, one thread\n\n"
        text += f"{tables.where(results)}.\n\n{tables.profile(results)}"
    return text


def instructions() -> str:
    """The baseline of bench/instructions.py."""
    path = ROOT / "bench" / "instructions.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text())
    made = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    text = f"\n## Instructions an answer\n\n{found['instructions'] / 1e6:.1f} million: one text of "
    text += "32 tokens, one thread, the model inside the package, counted by\nvalgrind, whose "
    text += "processor has AVX2 and neither AVX-512 nor AMX. `make instructions` fails where a\n"
    return f"{text}change adds 3 %. {made}.\n"


if __name__ == "__main__":
    main()
