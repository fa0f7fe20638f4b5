"""Which queries share a batch.

A query joins a batch if running it there costs no more than running it alone. Matrix products read
tokens end to end, so others cost nothing there. Attention works on a rectangle as wide as the
longest: a short query joins long ones only while the cells it adds cost less than a batch of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence

from .ticket import Item

BATCH_OVERHEAD_TOKENS = 16  # what starting one more batch costs, in tokens of work (measured)
CELLS_PER_TOKEN = 2048  # cells of attention that cost as much as one token (measured)
LOOKAHEAD = 256  # waiting queries considered for one batch


def together(waiting: Sequence[Item], limit: int) -> list[Item]:
    """The first of `waiting`, which leads, and those that join it, up to `limit` tokens in all.

    Like lengths come first: taken by age instead, batches of mixed lengths cost an eighth more.
    """
    lead = waiting[0]
    chosen = [lead]
    if lead.alone:
        return chosen
    tokens, longest = lead.cost, lead.cost
    rivals = [
        item
        for item in waiting[1:LOOKAHEAD]
        if not item.alone and item.ticket.run == lead.ticket.run
    ]
    rivals.sort(key=lambda item: abs(item.cost - lead.cost))
    for item in rivals:
        grown = max(longest, item.cost)
        cells = (len(chosen) + 1) * grown**2 - len(chosen) * longest**2 - item.cost**2
        fits = tokens + item.cost <= limit
        if fits and cells <= BATCH_OVERHEAD_TOKENS * CELLS_PER_TOKEN:
            chosen.append(item)
            tokens += item.cost
            longest = grown
    return chosen
