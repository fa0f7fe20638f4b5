"""How the default model is made: text in, a directory that `qingyu build` reads out.

Read in this order: errors, vocab, sources, templates, data, masking, model, loop, pretrain,
labelled, finetune, export, subjects, evaluate; then adapt and distill, which are for other people's
data and other people's models.
"""
