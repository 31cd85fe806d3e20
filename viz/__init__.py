"""Diagrams of a recorded run: ``viz.circuit(graph)``, ``viz.unfolded(graph)``, ``viz.side_by_side(graph)``."""

from viz.diagram import Diagram
from viz.render import RendererMissing, RenderError
from viz.views import circuit, side_by_side, unfolded

__all__ = ["Diagram", "RenderError", "RendererMissing", "circuit", "side_by_side", "unfolded"]
