"""Recurrent programs as people write them, and what the circuit of each must be.

They are written from the papers and in the idioms of public code: each file is one way of writing. None of them is
written for the fold, so some are refused today: NOT_YET in test_programs.py lists them, with the checks that fail.

    states_in_dicts   dicts and lists of states by time, np.dot
    sequences         what a loop goes through: lists, queues, dicts, windows, strides
    tokens            words, labels and observations as Python integers
    modules           modules with `forward`, made of Linear and Embedding
    scans             functions of a carry: scan, reduce, generators, closures, recursion
    cells             cells as objects: `step`, `call`, states in dataclasses
    gated             LSTM and GRU and what came after them
    clocks            several paces, chunks, own outputs as inputs, `while` on data
    attention         attention and memories
    dynamics          filters, state spaces, differential equations
    batches           loops over examples, units, hypotheses

To add one, write it as you would without this project, a few lines with sizes of 3 or 4, into the file of its way of
writing, and give it an entry in that file's PROGRAMS: how to run it on a sequence of length T, and the delays that its
equations have (program.py says how to write them). test_programs.py finds it there. If a check fails that ought to
hold, leave the program as it is and add the check to NOT_YET.
"""

from . import attention, batches, cells, clocks, dynamics, gated, modules, scans, sequences, states_in_dicts, tokens

FILES = states_in_dicts, sequences, tokens, modules, scans, cells, gated, clocks, attention, dynamics, batches
PROGRAMS = {name: program for file in FILES for name, program in file.PROGRAMS.items()}
