"""Requests of many clients answered by a few models, in bounded memory and time.

The nouns of a request, from what a client asked to what is computed:

noun      file       what it is
Call      calls.py   one task on one input with its parameters; hashable, so it names its answer
Answer    calls.py   a result as JSON in UTF-8, and the tokens it cost
Work      calls.py   a call under way: its generator, what it asks now, its answer or error
Flight    flight.py  the works that one request began; other requests may wait for them, too
Ticket    ticket.py  one round of a flight's queries in the scheduler, settled once
Item      ticket.py  one query of a ticket, with its turn in the queue
Batch     ticket.py  items that a worker runs together
Loaded    slots.py   a model in memory, held by the leases of those who use it
"""
