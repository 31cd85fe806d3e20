"""From the circuit of a run to the NumPy program that a person would have written. In the order of their work:

    lengths     which axes of the arguments may vary
    lifting     the circuits of three runs become one program
    adjoint     … to which the gradients are added
    passes      … which is rewritten, much of it into smaller expressions
    loops       … and whose cycles become loops
    emission    … as source, with the words of wording and an entry for each operation in batching
    arrays      the memory that a program keeps
    held        what a model holds besides its arguments
    compile     all of that, and the comparison with the engine; report says what was done

`program` is what they work on.
"""
