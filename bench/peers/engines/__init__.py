"""One file a peer, written as its own documentation advises.

    load(made, checkpoint, variant, threads) -> fill: texts with one mask each -> five tokens each
    load_embed(made, checkpoint, variant, threads) -> embed: texts -> float32 [texts, hidden]

A peer that cannot do a task has no function for it. `made` is what its maker wrote, or the
checkpoint itself. Vectors are means over all tokens, of length 1.
"""
