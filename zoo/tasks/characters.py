"""Characters: predict each character of a text from those before it.

The text is Python's own documentation, which every CPython carries (`pydoc_data.topics`), or any UTF-8 file.
A trained model has learnt something once its loss falls below an n-gram model's, which only counts what follows what.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinygrad_rnn import no_grad
from tinygrad_rnn.autodiff.operations import cross_entropy, one_hot

from .drawn import CLASSES, EACH_STEP

Codes = NDArray[np.int64]

LEAST = 10  # characters: the shortest text with a tenth to validate on


@dataclass(frozen=True)
class Corpus:
    """A text as codes: character c has the code `alphabet.index(c)`.

    The first 90 % are for training, the last 10 % for validation. Raises ValueError for fewer than 10 characters.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) < LEAST:
            length = f"has only {len(self.text)} characters" if self.text else "is empty"
            raise ValueError(f"the text {length}: splitting it 90/10 needs at least {LEAST}")

    def __repr__(self) -> str:
        return f"Corpus({len(self.text):,} characters, {len(self.alphabet)} of them distinct)"

    @cached_property
    def alphabet(self) -> str:
        """The distinct characters of the whole text, sorted."""
        return "".join(sorted(set(self.text)))

    @property
    def train(self) -> Codes:
        """The first 90 % of the codes, read-only."""
        return self.codes[: len(self.text) * 9 // 10]

    @property
    def validation(self) -> Codes:
        """The last 10 % of the codes, read-only."""
        return self.codes[len(self.text) * 9 // 10 :]

    @cached_property
    def codes(self) -> Codes:
        """The code of each character of the text, (len(text),), read-only."""
        codes = self.encode(self.text)
        codes.flags.writeable = False
        return codes

    def encode(self, text: str) -> Codes:
        """The code of each character, (len(text),). Raises ValueError naming the characters not in the alphabet."""
        points, known = _code_points(text), _code_points(self.alphabet)
        unknown = np.flatnonzero(~np.isin(points, known))
        if unknown.size:
            names = ", ".join(repr(c) for c in sorted({text[i] for i in unknown}))
            raise ValueError(f"not in the alphabet of this corpus: {names} (the first at position {unknown[0]})")
        return np.searchsorted(known, points).astype(np.int64)

    def decode(self, codes: ArrayLike) -> str:
        """The text of a vector of codes. Raises ValueError for anything but codes of this alphabet."""
        return "".join(self.alphabet[code] for code in _checked(codes, len(self.alphabet)))


def load(path: str | Path | None = None) -> Corpus:
    """The corpus in a UTF-8 file, or without a path the help topics of the running Python, in order of their names.

    The topics differ a little from one version of Python to the next: 465,126 characters, 103 distinct, in 3.11.

    Raises FileNotFoundError, IsADirectoryError, or ValueError for a file that is not UTF-8 or too short to split.
    """
    if path is None:
        from pydoc_data.topics import topics

        return Corpus("\n\n".join(topics[name] for name in sorted(topics)))
    try:
        return Corpus(Path(path).read_text(encoding="utf-8-sig"))  # -sig: a byte-order mark is not a character
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; without a path, Python's help topics are the text") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path} is a folder: name one text file in it") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (at byte {error.start}): save it again as UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def windows(codes: Codes, T: int, B: int, rng: int | np.random.Generator) -> tuple[Codes, Codes]:
    """B random windows of T characters and, for each, the same window one character later: x and y, both (T, B).

    Windows may overlap. `rng` is a seed or a generator. Raises ValueError for T or B < 1, or fewer than T + 1 codes.
    """
    if T < 1 or B < 1:
        raise ValueError(f"windows: T = {T}, B = {B}: both must be at least 1")
    if len(codes) <= T:
        raise ValueError(f"windows: T = {T} needs at least {T + 1} characters, not {len(codes)}: choose a smaller T")
    start = np.random.default_rng(rng).integers(len(codes) - T, size=B)
    index = np.arange(T)[:, None] + start
    return codes[index], codes[index + 1]


class NGram:
    """An n-gram model of a text, smoothed by Witten and Bell's method C, each order interpolating the one below it.

        P(c | h) = (N(hc) + T(h) P(c | h′)) / (N(h) + T(h))

    h is the n − 1 characters before c, and h′ is h without the earliest of them; N counts occurrences in the text, N(h)
    only those with a successor; T(h) is the number of distinct successors of h. A context never seen leaves all to h′,
    and below the unigrams (empty h) P is uniform over the alphabet.

    Witten & Bell 1991, The zero-frequency problem, IEEE Transactions on Information Theory 37(4);
    Chen & Goodman 1999, An empirical study of smoothing techniques, Computer Speech and Language 13.

    Raises ValueError for n < 1, a text shorter than n, codes outside the alphabet, or n too long to number its n-grams.
    """

    def __init__(self, codes: ArrayLike, n: int, alphabet_size: int) -> None:
        codes = _checked(codes, alphabet_size)
        if not 1 <= n <= len(codes):
            raise ValueError(f"an n-gram model of {len(codes)} characters needs 1 ≤ n ≤ {len(codes)}, not n = {n}")
        if alphabet_size**n >= 2**63:
            raise ValueError(f"n = {n}: {alphabet_size}ⁿ n-grams are too many to number in 63 bits: choose a smaller n")
        self.n = n
        self.alphabet_size = alphabet_size
        self._orders = [_Order.of(codes, k, alphabet_size) for k in range(1, n + 1)]

    def probabilities(self, context: ArrayLike) -> NDArray[np.float64]:
        """P(c | h) for every c, (alphabet_size,), where h is the end of the context.

        Raises ValueError for a context shorter than n − 1.
        """
        h = _key(self._last(context), self.alphabet_size)
        return self._probability(h * self.alphabet_size + np.arange(self.alphabet_size))

    def nats(self, codes: ArrayLike, context: ArrayLike) -> float:
        """Mean of −ln P(c | h) over the codes, in nats per character; the context is the text right before them.

        Raises ValueError for no codes, or a context shorter than n − 1.
        """
        codes = _checked(codes, self.alphabet_size)
        if not codes.size:
            raise ValueError("nats: there are no codes to score")
        grams = sliding_window_view(np.concatenate([self._last(context), codes]), self.n)
        return float(-np.log(self._probability(_key(grams, self.alphabet_size))).mean())

    def _last(self, context: ArrayLike) -> Codes:
        context, needed = _checked(context, self.alphabet_size), self.n - 1
        if len(context) < needed:
            raise ValueError(f"n = {self.n} needs {needed} characters of context, there are {len(context)}")
        return context[len(context) - needed :]

    def _probability(self, grams: Codes) -> NDArray[np.float64]:
        """P(c | h) for each n-gram hc, given as keys: from the uniform distribution up, one order at a time."""
        p = np.full(grams.shape, 1 / self.alphabet_size)
        for k, order in enumerate(self._orders, start=1):
            hc = grams % self.alphabet_size**k  # its last k characters
            h = hc // self.alphabet_size
            T = order.T_h.at(h)  # 0 where h was never seen: p stays as it is
            np.divide(order.N_hc.at(hc) + T * p, order.N_h.at(h) + T, out=p, where=T > 0)
        return p


def ngram_nats(corpus: Corpus, n: int) -> float:
    """The line to beat: nats per character, on the validation part, of the n-gram model counted on the training part.

    Every character is predicted from the true n − 1 before it; the first ones follow the end of the training part.
    On the help topics of Python 3.11, n = 1 to 5: 3.238, 2.318, 1.712, 1.404, 1.320 (uniform: ln 103 = 4.635).
    """
    return NGram(corpus.train, n, len(corpus.alphabet)).nats(corpus.validation, context=corpus.train)


class Characters:
    """Characters of a text: say at every step of a window of T characters which comes next.

    The model is called with one-hot rows x (T, B, D) and the codes y (T, B) of the characters one later, D being the
    size of the alphabet. Besides, it must be one that writes: ``model.step(x, h) -> o, h`` gives the logits o (B, D) of
    the next character, ``model.initial_state(B)`` the first h.
    """

    wants, says, stepwise = EACH_STEP, CLASSES, True
    unit, measure = "character", "nats"
    settings: ClassVar[dict[str, Any]] = {
        "length": 50, "batch": 32, "hidden": 256, "steps": 10000, "quick": 2000, "lr": 0.006, "weight_decay": 0.1,
    }  # fmt: skip

    def __init__(self, corpus: Corpus, T: int = 50, B: int = 32, dtype: DTypeLike = np.float32):
        self.corpus, self.T, self.B, self.dtype = corpus, T, B, dtype
        self.inputs = self.outputs = len(corpus.alphabet)

    @cached_property
    def baselines(self) -> dict[str, float]:
        """Nats per character: of the uniform distribution, and of the n-gram models up to n = 5."""
        names = ["unigram", "bigram", "trigram", "4-gram", "5-gram"]
        ngrams = {name: ngram_nats(self.corpus, n) for n, name in enumerate(names, start=1) if self.outputs**n < 2**63}
        return {"uniform": float(np.log(self.outputs)), **ngrams}

    def one_hot(self, codes: Codes) -> NDArray[Any]:
        rows: Any = one_hot(codes, self.outputs, self.dtype)  # of an array, an array
        return rows

    def batch(self, rng: np.random.Generator) -> tuple[NDArray[Any], Codes]:
        """B random windows of the training part. Raises ValueError if it is too short for T."""
        x, y = windows(self.corpus.train, self.T, self.B, rng)
        return self.one_hot(x), y

    def units(self, batch: tuple[Any, ...]) -> int:
        """How many characters there are in a batch."""
        return batch[1].size

    def loss(self, model: Any, *batch: Any) -> Any:
        """Nats per character of the windows."""
        return model(*batch) / self.T

    def validation_loss(self, model: Any, streams: int = 64, warm_up: int = 100) -> float:
        """Nats per character of the validation part, every character scored once, as the n-gram models are.

        The part is cut into `streams` pieces that are read side by side. Before its piece a model reads the `warm_up`
        characters that stand there in the text, so that its state is what it would be in one long reading.
        """
        codes, end = self.corpus.codes, len(self.corpus.text)
        first, scored = len(self.corpus.train), len(self.corpus.validation)
        length = -(-scored // streams)
        place = first + length * np.arange(streams)
        h, nats = model.initial_state(streams), 0.0
        with no_grad():
            for t in range(-min(warm_up, first - 1), length):
                at = np.minimum(place + t, end - 1)
                o, h = model.step(self.one_hot(codes[at - 1]), h)
                if t >= 0:
                    y = np.where(place + t < end, codes[at], -1)  # the last pieces may be shorter
                    nats += cross_entropy(o, y, ignore_index=-1, reduction="sum").item()
        return nats / scored

    def sample(self, model: Any, rng: int | np.random.Generator, length: int = 300, temperature: float = 1.0) -> str:
        """How the model goes on where the training part ends, each character drawn from softmax(o / temperature)."""
        rng = np.random.default_rng(rng)
        h, written = model.initial_state(1), list(self.corpus.train[-100:])
        with no_grad():
            for code in written[:-1]:
                _, h = model.step(self.one_hot(np.array([code])), h)
            for _ in range(length):
                o, h = model.step(self.one_hot(np.array([written[-1]])), h)
                # The largest of oᵢ + Gumbel noise is a draw from softmax(o).
                written.append(np.argmax(o.data / temperature + rng.gumbel(size=o.shape)))
        return self.corpus.decode(written[-length:])


class _Counts(NamedTuple):
    """A sparse table: `values` at the sorted `keys`, 0 elsewhere."""

    keys: Codes
    values: Codes

    def at(self, keys: Codes) -> Codes:
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.values[place], 0)


class _Order(NamedTuple):
    """What a text says of its k-grams hc: how often hc occurs, how often h does, and how many distinct c follow h."""

    N_hc: _Counts
    N_h: _Counts
    T_h: _Counts

    @classmethod
    def of(cls, codes: Codes, k: int, alphabet_size: int) -> _Order:
        hc, N_hc = np.unique(_key(sliding_window_view(codes, k), alphabet_size), return_counts=True)
        h, first, T_h = np.unique(hc // alphabet_size, return_index=True, return_counts=True)
        N_h = np.add.reduceat(N_hc, first)  # hc is sorted, so those of one h stand side by side
        return cls(_Counts(hc, N_hc), _Counts(h, N_h), _Counts(h, T_h))


def _key(grams: Codes, alphabet_size: int) -> Codes:
    """Each gram (…, k) as one number, its characters the digits, so that the last digits are the last characters."""
    return grams @ alphabet_size ** np.arange(grams.shape[-1])[::-1]


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _checked(codes: ArrayLike, alphabet_size: int) -> Codes:
    codes = np.asarray(codes)
    if codes.ndim != 1:
        raise ValueError(f"codes must be one vector, not an array of shape {codes.shape}")
    if codes.size and (codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= alphabet_size):
        raise ValueError(f"codes must be whole numbers from 0 to {alphabet_size - 1}")
    return codes.astype(np.int64, copy=False)
