"""Echo state networks: the recurrent weights are drawn once and never learned, only the output weights are.

    h⁽ᵗ⁾ = (1 − C a) h⁽ᵗ⁻¹⁾ + C tanh(W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾ + F y⁽ᵗ⁻¹⁾),   h⁽⁰⁾ = 0,  y⁽⁰⁾ = 0
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾

C is how fast a unit moves and a how much it leaks: C = a = 1 is the ordinary network. F, where there is one, feeds the
output back: the target while V is learned, the network's own output when it runs free.

W is scaled to a spectral radius, as a rule just below 1: then a state echoes for long and still fades. What is left is
linear: V and c minimise Σₜ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖² + ridge ‖V‖², in one step, without any gradient. The first steps, the
`washout`, are left out of the sum: they still depend on where the state started.

Correction: the lecture sets W so that the Jacobian has a spectral radius near 1. That by itself is not the echo state
property, which is that the state comes to depend on the input alone, wherever it started (see `gradients.distances`).

Lecture, "Echo state networks"; Goodfellow, Bengio & Courville 2016, section 10.8; Jaeger 2001, The "echo state"
approach to analysing and training recurrent neural networks, GMD report 148.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import generator, reservoir, uniform, zeros

from .sequence import loss, sizes, zero


class EchoState(tg.Module):
    """A reservoir of fixed random weights, and outputs that are learned by linear regression.

    W (hidden, hidden), U (hidden, inputs), F (hidden, outputs) or None: constants, no parameters
    V (outputs, hidden), c (outputs,): parameters, 0 until `fit`

    radius    the spectral radius of W
    density   which fraction of W is not 0
    scale     U is uniform in ± scale
    feedback  F is uniform in ± feedback; without, there is none
    C, a      how fast a unit moves, and how much it leaks

    Raises ValueError for a negative radius, a density outside (0, 1], a W without an eigenvalue but 0 (which cannot be
    scaled), and unless 0 < C and 0 ≤ C a ≤ 1.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        radius: float = 0.9,
        density: float = 1.0,
        scale: float = 1.0,
        feedback: float | None = None,
        C: float = 1.0,
        a: float = 1.0,
        rng: Any,
        dtype: Any = np.float64,
    ):
        if not (C > 0 and 0 <= C * a <= 1):
            raise ValueError(f"C is above 0 and C a in [0, 1], not C = {C} and a = {a}")
        rng = generator(rng)
        self.C, self.a = C, a
        self.W = tg.Tensor(reservoir((hidden, hidden), radius, density, rng=rng, dtype=dtype), name="W")
        self.U = tg.Tensor(uniform((hidden, inputs), -scale, scale, rng=rng, dtype=dtype), name="U")
        self.F = None
        if feedback is not None:
            self.F = tg.Tensor(uniform((hidden, outputs), -feedback, feedback, rng=rng, dtype=dtype), name="F")
        self.V = tg.Parameter(zeros((outputs, hidden), dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any) -> Any:
        """The loss L = Σₜ ½ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖², the mean over the batch.  x (T, B, inputs), y (T, B, outputs)

        Raises ShapeError for an x and y that do not fit.
        """
        L = 0
        _, B = sizes(x, y)
        h, y_before = self.initial_state(B)
        for x_t, y_t in zip(x, y, strict=True):
            h = self.step(x_t, h, y_before)
            o = self.output(h)
            L = L + loss(o, y_t)
            y_before = y_t
        return L

    def fit(
        self, x: Any, y: Any, *, washout: int = 0, ridge: float = 0.0, noise: float = 0.0, rng: Any = None
    ) -> np.ndarray:
        """Learn V and c; return the last state, (B, hidden), from which to go on.

        x, y     (T, B, inputs) and (T, B, outputs)
        washout  the first steps, that are not learned from
        ridge    the larger, the smaller V
        noise    standard deviation of what is added to each state, so that V learns to live with its own errors

        Raises ShapeError for an x and y that do not fit, ValueError unless 0 ≤ washout < T, ridge and noise are finite
        and at least 0, and so are finite all states and targets to learn from; TypeError for noise without an rng.
        """
        T, B = sizes(x, y)
        if np.shape(y) != (T, B, self.c.size):
            raise tg.ShapeError(f"fit: y must be of shape {(T, B, self.c.size)}, not {np.shape(y)}")
        if washout not in range(T):
            raise ValueError(f"fit: washout is from 0 to {T - 1}, of {T} steps, not {washout}")
        if not (0 <= ridge < np.inf and 0 <= noise < np.inf):
            raise ValueError(f"fit: ridge and noise are finite and at least 0, not {ridge} and {noise}")
        disturb = generator(rng).normal(0, noise, (T, B, len(self.W))) if noise else np.zeros((T, 1, 1))
        disturb = disturb.astype(self.c.dtype)
        seen = self._states(x, y, disturb)
        left, right = seen[washout:].reshape(-1, len(self.W)), np.reshape(y[washout:], (-1, self.c.size))
        if not (np.isfinite(left).all() and np.isfinite(right).all()):
            raise ValueError("fit: the states or targets to learn from are not all finite: look for NaN in x and y")
        # Rows √ridge 1 that ask for V = 0 make the least squares regular; c has no part in them.
        regular = np.sqrt(ridge) * np.eye(len(self.W))
        left = np.block([[left, np.ones((len(left), 1))], [regular, np.zeros((len(regular), 1))]])
        right = np.concatenate([right, np.zeros((len(regular), self.c.size))])
        solution = np.linalg.lstsq(left, right)[0].astype(self.c.dtype)
        self.V.data, self.c.data = solution[:-1].T, solution[-1]
        return seen[-1]

    def _states(self, x: Any, y: Any, disturb: np.ndarray) -> np.ndarray:
        """h⁽¹⁾, …, h⁽ᵀ⁾, (T, B, hidden), with the targets y fed back and `disturb` added to each."""
        h, y_before = self.initial_state(np.shape(x)[1])
        seen = []
        with tg.no_grad():
            for x_t, y_t, disturb_t in zip(x, y, disturb, strict=True):
                h = self.step(x_t, h, y_before) + disturb_t
                y_before = y_t
                seen.append(h.data)
        return np.array(seen)

    def generate(self, x: Any, h: Any, y: Any) -> np.ndarray:
        """Run free, its own outputs fed back, from state h and the output before, y.

        x (T, B, inputs), h (B, hidden), y (B, outputs) → (T, B, outputs). Raises ShapeError where these do not fit.
        """
        given, wanted = (np.shape(h), np.shape(y)), tuple(map(np.shape, self.initial_state(np.shape(x)[1])))
        if given != wanted:
            raise tg.ShapeError(f"generate: the shapes of h and y must be {wanted}, not {given}")
        o, outputs = y, []
        with tg.no_grad():
            for x_t in x:
                h = self.step(x_t, h, o)
                o = self.output(h)
                outputs.append(o.data)
        return np.array(outputs).reshape(len(outputs), *np.shape(y))

    def step(self, x: Any, h: Any, y: Any) -> Any:
        """One step in time.  x (B, inputs), h (B, hidden), y⁽ᵗ⁻¹⁾ (B, outputs) → h (B, hidden)"""
        h = (1 - self.C * self.a) * h + self.C * tg.tanh(self.drive(x, h, y))
        return h

    def drive(self, x: Any, h: Any, y: Any) -> Any:
        """What moves the units, (B, hidden)."""
        if self.F is None:
            return h @ self.W.T + x @ self.U.T
        return h @ self.W.T + x @ self.U.T + y @ self.F.T

    def output(self, h: Any) -> Any:
        """h (B, hidden) → o (B, outputs)"""
        o = self.c + h @ self.V.T
        return o

    def initial_state(self, B: int) -> tuple[tg.Tensor, tg.Tensor]:
        """h⁽⁰⁾ = 0, (B, hidden), and y⁽⁰⁾ = 0, (B, outputs)."""
        return zero(B, len(self.W), self.c.dtype), zero(B, self.c.size, self.c.dtype)


def spectral_radius(W: Any) -> float:
    """The largest of the magnitudes of W's eigenvalues; 0 for the zero matrix, and for one without any element."""
    return float(np.abs(np.linalg.eigvals(W.data if isinstance(W, tg.Tensor) else W)).max(initial=0))
