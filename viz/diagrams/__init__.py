"""Diagrams of a recorded run. How a picture comes about, and the types that are handed on:

Circuit     the components of the run, joined by wires                     (tinygrad_rnn/tracing)
   ↓        `variables` keeps what a textbook would draw: what has a name. Its `arrow_sources` follow wires through
            what has none: which steps are read is what the wires say, composed
Variable    one for each vertex, joined by a Link for each arrow           (drawing_types)
   ↓        `layout` gives every variable a row, a column and a block
Layout      blocks side by side, one for each loop
   ↓        `circuit_view` draws each variable once, `unfolded_view` once for each step
Vertex      a mark at a point of the grid, joined by an Arrow              (vertices)
   ↓        `arrow_routing` finds each arrow a way, `label_placement` each label a place
Diagram     the whole drawing; `dot` writes it as DOT text, `render` runs Graphviz
"""
