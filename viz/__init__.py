"""Diagrams, equations, plots and pages, drawn from the record of a run."""
