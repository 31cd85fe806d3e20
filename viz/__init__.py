"""What can be seen of a recorded run: its diagrams, its equations, and a page to explore it.

viz.circuit(graph), viz.unfolded(graph), viz.side_by_side(graph)        a Diagram, to render into a file
viz.equations(graph, of="backward")                                     text: the recurrences, or BPTT
viz.page(graph, "model.html")                                           all of it, step by step
"""

from viz.diagram import Diagram
from viz.equations import equations
from viz.explorer import page
from viz.render import RendererMissing, RenderError
from viz.views import circuit, side_by_side, unfolded

__all__ = ["Diagram", "RenderError", "RendererMissing", "circuit", "equations", "page", "side_by_side", "unfolded"]
