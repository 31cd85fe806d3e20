"""The pages of the gallery in the lecture's order, as a table.

The prose is ours; the letters are the lecture's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from viz.gallery import experiments
from viz.gallery.attending import attending
from viz.gallery.forcing import forcing
from viz.gallery.learning import Lesson
from viz.gallery.sections import Section, Work
from zoo import bptt, cliff, gradients, pattern_2, training
from zoo.tasks import orbit, strings


@dataclass(frozen=True)
class Topic:
    """A page of the gallery.

    name     of its file and folder: "pattern-1"
    prose    what it is about; an empty line between paragraphs
    models   names in zoo.catalogue with a heading for each: shown with diagrams, equations and explorer
    extras   what else is shown: functions of a Work that make a section, or None where there is nothing to show
    lessons  what is trained, its loss shown against chance and floor
    code     modules that are shown beside those of the models
    uses     modules that the page depends on and that are not shown
    claims   names in zoo.claims, of what is shown as it was measured; each claim is on a page
    emblem   what the index shows where there is no picture
    """

    name: str
    title: str
    prose: str
    models: dict[str, str] = field(default_factory=dict)
    extras: tuple[Callable[[Work], Section | None], ...] = ()
    lessons: tuple[Lesson, ...] = ()
    code: tuple[ModuleType, ...] = ()
    uses: tuple[ModuleType, ...] = ()
    claims: tuple[str, ...] = ()
    emblem: str = ""

    @property
    def paragraphs(self) -> list[str]:
        return [" ".join(paragraph.split()) for paragraph in self.prose.strip().split("\n\n")]


TOPICS: tuple[Topic, ...] = (
    Topic(
        "unfolding",
        "Unfolding",
        """
        A recurrent network is one function applied again and again: the state h⁽ᵗ⁾ is f(h⁽ᵗ⁻¹⁾, x⁽ᵗ⁾), with the same f
        and the same weights at every step. Put the state before into itself, and the state after t steps is a function
        of h⁽⁰⁾ and all x up to then. One model learns from all steps, and runs on sequences of any length.

        There are two pictures of it. The circuit has each variable once, and a black square where a value waits for
        one step. The unfolded graph has each variable at each step, and no squares: time goes to the right. A circuit
        is the program’s source; an unfolded graph is its execution. Both are read off one run here.
        """,
        models={"dynamical-system": "A state that moves by itself", "rnn": "A recurrent network without outputs"},
        lessons=(
            Lesson(
                "One function, learned from all steps",
                "temporal-order",
                ("rnn",),
                1500,
                """
                The cell above, with an output after the last step. Its weights are those of one step; a gradient from
                each of the 20 steps goes into them.
                """,
                learns=("rnn",),
                length=20,
            ),
        ),
    ),
    Topic(
        "pattern-1",
        "Pattern I: hidden recurrence",
        """
        The first design pattern: the hidden units h see their own past, and every step has an output o, a target y and
        a loss L. What x⁽¹⁾ did to h is still in h⁽ᵀ⁾, if W lets it through, so that an output may depend on all inputs
        so far. The outputs say nothing to one another: given x, the model takes the y for independent.

        Below, this network learns to predict each character of a text from those before it.
        """,
        models={"pattern-1": "The network"},
        lessons=(
            Lesson(
                "It learns to write",
                "characters",
                ("pattern-1",),
                10_000,
                """
                An n-gram model counts how often each character followed the n − 1 characters before it, and knows
                nothing else. The network is not told how far to look back: what it keeps of the past is in h. In the
                end it goes on where its training text ends: each character is drawn from ŷ = softmax(o) and is the
                next x.
                """,
                learns=("pattern-1",),
                hidden=128,
            ),
        ),
        claims=("fair-bits-pattern-1", "markov-chain-pattern-1", "characters-trigram", "characters-4-gram"),
    ),
    Topic(
        "bptt",
        "Backpropagation through time",
        """
        The gradient of the loss is computed on the unfolded graph, from the last step to the first. At t = T the state
        has no effect but on its own output; before that it also makes the next state, so that what comes back from
        t + 1 is added, through Wᵀ and the slope of tanh. Each weight is used at every step, and its gradient is the sum
        over the steps.

        The backward pass is a run like any other: it is recorded and folded too. Its circuit is below. The delay
        squares of the forward pass carry h to the next step; those of the backward pass carry ∂L/∂h to the step
        before. The equations are read off that circuit, and zoo/bptt.py has them a third time, by hand and line by
        line, with what the lecture’s own version leaves out or mixes up.
        """,
        models={"pattern-1": "The network"},
        extras=(experiments.backward_circuit,),
        lessons=(
            Lesson(
                "What comes back through time is learnt from",
                "running-xor",
                ("pattern-1",),
                2000,
                """
                Each coin turns all answers from its step on, so that what is wrong with an answer has to come back to
                all coins before it. Once the network has found that, it is right at every step.
                """,
                learns=("pattern-1",),
            ),
        ),
        code=(bptt,),
        claims=("bptt-engine", "bptt-differences"),
    ),
    Topic(
        "pattern-2",
        "Pattern II: one output for a sequence",
        """
        Hidden recurrence again, but a single output, at the end: the network reads all of x and then says one thing,
        the class of a text or the sum of some numbers. The loss has one term, and all that it can tell the first step
        has to come back through all the others.
        """,
        models={"pattern-2": "The network"},
        lessons=(
            Lesson(
                "It learns to add",
                "adding",
                ("pattern-2",),
                1500,
                """
                Two of ten numbers are marked, and the network is to say their sum when it has read them all. What it
                has to keep it must keep in h, and what it learns it learns from the one loss at the end.
                """,
                learns=("pattern-2",),
                length=10,
            ),
        ),
        claims=("adding-rnn",),
    ),
    Topic(
        "vanishing-and-exploding",
        "Vanishing and exploding gradients",
        """
        On its way back through τ steps a gradient is multiplied by τ Jacobians, WᵀH each time. If those make it a
        little shorter it vanishes, if a little longer it explodes: 0.9¹⁰⁰ is 0.00003, and 1.1¹⁰⁰ is 14,000. The
        spectral radius ρ of W, the largest magnitude of an eigenvalue, describes the limit of many steps; the largest
        singular value bounds every one. The slope of tanh is at most 1 and can only shorten.

        A gradient that vanishes is not wrong. It says that the loss hardly depends on what was long ago, and then
        there is nothing to learn from.
        """,
        extras=(experiments.fading, experiments.spectral_radius),
        uses=(pattern_2,),
        lessons=(
            Lesson(
                "Nothing left to learn from",
                "adding",
                ("pattern-2",),
                1500,
                """
                The network and the task of the page on pattern II, where it learns to add two of ten numbers. Here the
                two are among a hundred, and what comes back to them from the end is lost in what is nearer.
                """,
                length=100,
            ),
        ),
        code=(gradients,),
        claims=(
            "vanishing",
            "exploding",
            "vanishing-orthogonal",
            "vanishing-symmetric",
            "vanishing-limit",
            "vanishing-tanh",
            "vanishing-sigmoid",
            "adding-rnn",
        ),
    ),
    Topic(
        "clipping",
        "Clipping the gradient",
        """
        Where gradients explode, the loss has cliffs: nearly flat, then a wall, made by many steps through the same
        weights. On the wall the gradient says rightly which way is down, but nothing of how short the way is; one step
        as long as it throws the parameters far away. Clipping keeps the direction and limits the length: of a gradient
        g whose norm is above a threshold v, take g v/‖g‖.
        """,
        extras=(experiments.clipping,),
        code=(cliff,),
        emblem="g v/‖g‖",
        claims=("clipping", "no-clipping"),
    ),
    Topic(
        "echo-state",
        "Echo state networks",
        """
        If learning W by gradients is so hard, leave it out. W and U are drawn at random and stay as they are (dashed in
        the diagrams); W is scaled to a spectral radius near 1, so that what came in echoes for a while. Only the output
        weights V are learned, by linear regression, in one step and without any gradient through time.

        What makes it work is that the state comes to depend on the input alone, wherever it started. A spectral radius
        near 1 is not by itself that property.
        """,
        models={"echo-state": "A reservoir", "echo-state-feedback": "A reservoir that is fed its output"},
        extras=(experiments.echoes,),
        lessons=(
            Lesson(
                "Only the output learns",
                "mackey-glass",
                ("echo-state",),
                300,
                """
                To be compared with the other curves, V is learned here as all weights are on these pages, step by step.
                The regression needs no steps: it is what the figures below were measured with.
                """,
                learns=("echo-state",),
                length=50,
                hidden=64,
            ),
        ),
        code=(gradients,),
        claims=("mackey-glass-17", "mackey-glass-30", "mackey-glass-1000"),
    ),
    Topic(
        "skip",
        "Skip connections through time",
        """
        Let h⁽ᵗ⁾ see h⁽ᵗ⁻ᵈ⁾ too, by weights of their own. In the circuit that is a wire with d squares. A gradient that
        comes back by it takes τ/d steps for a distance of τ, and so it vanishes in τ/d: still exponentially, but d
        times as slowly.
        """,
        models={"skip": "The cell"},
        extras=(experiments.skipping,),
        lessons=(
            Lesson(
                "What is long ago is nearer",
                "temporal-order",
                ("rnn", "skip"),
                1500,
                """
                Two signals in sixty steps, and at the end the question which they were, in their order. The ordinary
                network has sixty steps to learn through, the one with d = 5 a fifth of that.
                """,
                learns=("skip",),
                length=60,
            ),
        ),
        code=(gradients,),
        claims=("vanishing-skip",),
    ),
    Topic(
        "leaky",
        "Leaky units",
        """
        A leaky unit keeps 1 − 1/α of what it was and takes in 1/α of what is new. With α = 1 it is the ordinary unit;
        the larger α, the more slowly it changes, and the farther values and gradients go. α is the time scale of the
        unit in steps. It can be set by hand, differently for each unit, or learned.
        """,
        models={"leaky": "A time scale set by hand", "leaky-learned": "A time scale that is learned"},
        extras=(experiments.leaking,),
        lessons=(
            Lesson(
                "Slow time: one pace for all",
                "uniform-warp",
                ("rnn", "leaky-learned"),
                500,
                """
                Every letter lasts for ten steps, and the network is to say which was there before. Leaky units learn
                how slowly they have to change.
                """,
                learns=("leaky-learned",),
                length=50,
                hidden=32,
            ),
            Lesson(
                "Warped time: no pace is right",
                "variable-warp",
                ("leaky-learned", "gru"),
                500,
                """
                Now a letter lasts from one step to ten. No α is right for all of them; gates, which decide at each step
                whether to move, are on the next pages.
                """,
                length=50,
                hidden=32,
            ),
        ),
        code=(gradients,),
        claims=(
            "leaky-ordinary",
            "leaky-decay",
            "warp-uniform-leaky",
            "warp-variable-leaky",
            "warp-variable-gru",
        ),
    ),
    Topic(
        "lstm",
        "Long short-term memory",
        """
        A leaky unit whose leak is decided anew at every step, by the input and the state. The memory s has a way
        straight through time: s⁽ᵗ⁾ is f ⊙ s⁽ᵗ⁻¹⁾ plus what the input gate g lets in, and the output gate q decides how
        much of it is seen as h. Along that way a gradient is multiplied by the forget gate alone, which vanishes only
        where the network chooses to forget.
        """,
        models={
            "lstm": "As the lecture writes it",
            "lstm-biased": "As it is used, with biases",
            "lstm-peephole": "With gates that see the memory",
            "layer-lstm": "As a layer of a library",
        },
        lessons=(
            Lesson(
                "A way through sixty steps",
                "temporal-order",
                ("rnn", "lstm", "lstm-biased"),
                1000,
                """
                Two signals in sixty steps, and at the end the question which they were, in their order. A forget gate
                without a bias begins half open, and half of half of half is soon nothing; that of the second LSTM
                begins open, by a bias of 1.
                """,
                learns=("lstm-biased",),
                length=60,
                batch=32,
            ),
        ),
        claims=(
            "embedded-reber-lstm",
            "embedded-reber-elman",
            "adding-lstm",
            "adding-rnn",
            "temporal-order-lstm",
            "copy-memory-chance",
            "copy-memory-lstm",
        ),
    ),
    Topic(
        "gru",
        "Gated recurrent units",
        """
        Two gates instead of three, and no memory apart from h. The update gate u says how much of h stays, so that what
        is forgotten makes exactly the room that is written to; the reset gate r says how much of h the new content may
        see.
        """,
        models={
            "gru": "The reset gate before W",
            "gru-reset-after": "The reset gate after W",
            "layer-gru": "As a layer of a library",
        },
        lessons=(
            Lesson(
                "Two gates add two numbers",
                "adding",
                ("rnn", "gru"),
                1250,
                """
                The two numbers that are marked are among fifty. The gates let them in, and keep what is there from all
                others.
                """,
                learns=("gru",),
                length=50,
            ),
        ),
        claims=("temporal-order-gru", "warp-uniform-gru", "warp-variable-gru"),
    ),
    Topic(
        "pattern-3",
        "Pattern III: output recurrence",
        """
        The only way from one step to the next leads through the output. All that the network knows of the past is what
        it said last, and that is trained to be the target, not to be a memory. Such a network is less powerful than
        pattern I: it cannot keep what the targets do not show.
        """,
        models={"pattern-3": "Numbers, running free", "pattern-3-classes": "Classes, running free"},
        lessons=(
            Lesson(
                "What the output does not show is forgotten",
                "fair-bits",
                ("pattern-1", "pattern-3-classes"),
                1000,
                """
                The answer is the coin before. Pattern I has it in h. All that pattern III sees of the past is the word
                that it said last, and that was to be the coin before that one. Of the last coin it tells at most
                where the network was in doubt.
                """,
                learns=("pattern-1",),
            ),
            Lesson(
                "What the output shows is enough",
                "running-xor",
                ("pattern-3-classes",),
                1500,
                """
                Here the new answer is the old one, turned if the coin is 1. The output before is all the memory that
                it takes.
                """,
                learns=("pattern-3-classes",),
            ),
        ),
        claims=(
            "fair-bits-pattern-1",
            "fair-bits-pattern-3",
            "fair-bits-pattern-3-sampled",
            "running-xor-pattern-3",
        ),
    ),
    Topic(
        "teacher-forcing",
        "Teacher forcing",
        """
        In training the targets are known, so pattern III can be fed y⁽ᵗ⁻¹⁾ in the place of its own o⁽ᵗ⁻¹⁾. Then no
        loss depends on any step but its own: the gradient of each can be computed by itself, and no gradient flows
        through time. Compare the diagrams: with teacher forcing the square hangs on y, without it on o.
        A gradient does come back to the y before, but there it ends: y was given.

        The price: at test time the network is fed what it said itself, which it has never seen. Scheduled sampling
        tosses a coin at each step, the target or its own word, to make the two alike.
        """,
        models={
            "teacher-forcing": "In training: fed the target",
            "pattern-3": "In use: fed what it said",
            "scheduled-sampling": "Scheduled sampling",
        },
        extras=(forcing,),
        uses=(orbit, training),
        lessons=(
            Lesson(
                "With a teacher and without",
                "orbit",
                ("pattern-3", "teacher-forcing"),
                5000,
                """
                Each number of the orbit follows from the one before. With a teacher the one before is given, and each
                step is a lesson of its own; without, it is what the network said, which is wrong to begin with. Each is
                measured as it was trained, so that this says what is easier to learn, not what is better in use.
                """,
                learns=("teacher-forcing",),
            ),
        ),
        claims=("teacher-forcing-isolates-steps", "exposure-bias", "scheduled-sampling"),
    ),
    Topic(
        "pattern-4",
        "Pattern IV: both recurrences",
        """
        Hidden units see their own past and the output before. By the chain rule of probability such a network can have
        any distribution over the y: p(y⁽¹⁾ … y⁽ᵀ⁾ | x) is the product of p(y⁽ᵗ⁾ | x, y⁽¹⁾ … y⁽ᵗ⁻¹⁾). Leave out x, and
        it is a generative model: each y is the target of one step and the input of the next.
        """,
        models={"pattern-4": "The network", "generative": "Without x: a generative network"},
        lessons=(
            Lesson(
                "Which outputs go together",
                "flipping-chain",
                ("pattern-1", "pattern-4"),
                1000,
                """
                x is the same at all steps; y is a 0 or a 1 that flips now and then. Taken alone every y is a fair coin,
                and pattern I, for which they are independent, can say no more. Pattern IV sees the one before.
                """,
                learns=("pattern-4",),
            ),
            Lesson(
                "A grammar, learnt from its strings",
                "reber",
                ("generative",),
                1000,
                "Nobody tells the network the grammar. The floor is the entropy of its strings.",
                learns=("generative",),
            ),
        ),
        claims=(
            "markov-chain-pattern-1",
            "markov-chain-pattern-4",
            "chain-rule",
            "reber-figures",
            "reber-strings",
            "reber-entropy",
            "embedded-reber-strings",
            "embedded-reber-entropy",
        ),
    ),
    Topic(
        "bidirectional",
        "Bidirectional networks",
        """
        What a sound or a letter is may depend on what comes after it. A bidirectional network has two states: h runs
        forward in time and g backward, and the output sees both. The square of g delays in the other direction. The
        whole sequence has to be there before the first output can be.
        """,
        models={"bidirectional": "The network", "layer-bidirectional": "As a layer of a library"},
        lessons=(
            Lesson(
                "What comes next matters",
                "look-ahead-xor",
                ("pattern-1", "bidirectional"),
                1500,
                """
                The answer needs the coin after this one, which a network that reads to the right has not seen. It does
                not count steps either, so that it errs at the last too, and ends a little above chance, at T/(T − 1)
                ln 2 = 0.7296.
                """,
                learns=("bidirectional",),
            ),
        ),
        claims=("look-ahead-pattern-1", "look-ahead-bidirectional"),
    ),
    Topic(
        "deep",
        "Deep recurrent networks",
        """
        There are three places in a step where more layers may go: a state upon a state, each with its own recurrence;
        a deeper way from h to h; and connections that skip those added layers, so that the way through time stays as
        short as it was.
        """,
        models={
            "deep-states": "A state upon a state",
            "deep-transition": "A deeper way from h to h",
            "deep-skip": "With connections that skip it",
            "layer-rnn": "A layer of a library",
            "layer-stacked": "Two such layers",
        },
        lessons=(
            Lesson(
                "The three ways, and none",
                "running-xor",
                ("rnn", "deep-states", "deep-transition", "deep-skip"),
                1500,
                """
                Whether the number of ones so far is odd: at each step what is known is turned or not. The ordinary
                network can learn that too, as the page on backpropagation through time shows; here the batches are half
                as large. This is one seed, and another task may rank them otherwise.
                """,
                learns=("deep-transition",),
                batch=32,
            ),
        ),
    ),
    Topic(
        "recursive",
        "Recursive networks",
        """
        The same composition at every node of a tree, instead of at every step of a chain. From the first input to the
        output a chain of n steps has n compositions, a balanced tree log₂ n. A tree has no time axis, so there is
        nothing to fold: there is an unfolded graph, and no circuit.
        """,
        models={"recursive": "A tree of four leaves", "recursive-deep": "With a hidden layer at each node"},
        lessons=(
            Lesson(
                "It learns to calculate",
                "listops",
                ("recursive", "recursive-deep"),
                2500,
                """
                Each tree is an expression of its own, and one small network is applied at all of its nodes. With a
                hidden layer at each node it learns faster.
                """,
                learns=("recursive", "recursive-deep"),
            ),
        ),
        claims=("listops-recursive",),
    ),
    Topic(
        "sequence-to-sequence",
        "Sequence to sequence",
        """
        One network, the encoder, reads x and leaves a context C; another, the decoder, writes y from it. The two have
        loops of their own, so that the lengths n and m have nothing to do with each other. All that the decoder knows
        of x is in C, whose size is fixed; for long sequences that is too little. The decoder alone is a network from
        one vector to a sequence.
        """,
        models={"encoder-decoder": "Encoder and decoder", "vector-to-sequence": "One vector to a sequence"},
        lessons=(
            Lesson(
                "All of it through one vector",
                "reversal",
                ("encoder-decoder",),
                500,
                "Strings of five digits go through C. The page on attention has longer ones.",
                learns=("encoder-decoder",),
                length=5,
            ),
            Lesson(
                "From one vector to a sequence",
                "spelling",
                ("vector-to-sequence",),
                500,
                "The vector is a number of two digits; what is written is its name.",
                learns=("vector-to-sequence",),
            ),
        ),
        claims=("reversal-short", "reversal-long", "greedy-search", "beam-search", "beam-exhaustive", "padding"),
    ),
    Topic(
        "attention",
        "Attention",
        """
        Instead of one context for all steps, a new one for each: the average of all hidden units of the encoder, with
        weights α that the model makes itself, by a softmax over how relevant each is just now. To look up the one most
        relevant would be cheaper, but has no gradient; the average has. What is averaged may be hidden units or the raw
        inputs, and where only the place matters, as in a pointer network, the weights themselves are the output.
        """,
        models={
            "attention": "A decoder that looks back",
            "input-attention": "Attention over raw inputs",
            "pointer": "A pointer network",
        },
        extras=(attending,),
        uses=(strings, training),
        lessons=(
            Lesson(
                "With one context, and with one for each step",
                "reversal",
                ("encoder-decoder", "attention"),
                750,
                "Strings of ten digits, in as many updates for both.",
                learns=("attention",),
                length=10,
            ),
            Lesson(
                "Two numbers among thirty, without any recurrence",
                "adding",
                ("input-attention",),
                2000,
                "The weights find the two numbers that are marked, wherever they are.",
                learns=("input-attention",),
                length=30,
            ),
            Lesson(
                "Pointing",
                "sorting",
                ("pointer",),
                1500,
                "Five numbers; the output is the place of the least, of the next, and so on.",
                learns=("pointer",),
            ),
        ),
        claims=(
            "reversal-long",
            "reversal-long-attention",
            "reversal-attention-weights",
            "reversal-attention-anti-diagonal",
            "adding-attention",
            "adding-attention-exact",
            "sort-pointer",
            "sort-pointer-glimpse",
            "dates-encoder-decoder",
            "dates-attention",
        ),
    ),
    Topic(
        "memory",
        "Explicit memory",
        """
        Networks with a memory beside them that they read from, or read from and write to, by attention. A memory
        network looks several times at a list of facts, and each look changes the question. A neural Turing machine also
        writes; what it has written stays until it is erased, so that gradients through the memory do not fade with
        time.
        """,
        models={"memory-network": "A memory that is read", "turing-machine": "A memory that is written to"},
        lessons=(
            Lesson(
                "Two looks at a list of facts",
                "facts",
                ("memory-network",),
                2000,
                """
                The first look finds who has the thing, the second where they are. No fact has both in it, so that one
                look alone would be as good as none.
                """,
                learns=("memory-network",),
            ),
            Lesson(
                "A memory to write to, and a state",
                "copying",
                ("lstm", "turing-machine"),
                600,
                """
                Three rows of bits are read, and are to be said again. The memory has a place for each; the LSTM has to
                put them all into one vector.
                """,
                learns=("turing-machine",),
                length=3,
                batch=32,
            ),
        ),
        claims=("memory-network", "memory-network-one-look", "copying-turing-machine", "copying-longer"),
    ),
)
