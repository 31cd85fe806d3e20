"""What can be seen of a recorded run: its diagrams, its equations, and a page to explore it.

viz.circuit(graph), viz.unfolded(graph), viz.side_by_side(graph)        a Diagram, to render into a file
viz.equations(graph, of="backward")                                     text: the recurrences, or BPTT
viz.page(graph, "model.html")                                           all of it, step by step
"""

from viz.diagrams.diagram import Diagram
from viz.diagrams.render import RendererMissing, RenderError
from viz.diagrams.views import circuit, side_by_side, unfolded
from viz.equations import equations
from viz.explorer import page

__all__ = ["Diagram", "RenderError", "RendererMissing", "circuit", "equations", "page", "side_by_side", "unfolded"]
