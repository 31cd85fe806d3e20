"""What is said of the models of the zoo, each claim with the experiment that decides it.

`separations` are what can be proved of trained models, one that cannot get below a floor beside one that does; `exact`,
`padding` and `through_time` are equalities that hold without training; `published` are figures from the literature.
``python -m zoo claims`` measures them.
"""

from . import exact, padding, published, separations, through_time
from .claim import Claim

MODULES = separations, exact, padding, through_time, published

CLAIMS: dict[str, Claim] = {claim.name: claim for module in MODULES for claim in module.CLAIMS}
