"""Several paces: every k-th step, chunks, skips over time, warm-up, the network's own output as the next input."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight

U, W, V = weight(4, 3), weight(4, 4), weight(3, 4)
slow_U, slow_W, up = weight(4, 4), weight(4, 4), weight(4, 4)


def clockwork(x):
    """The slow module runs at every second step (Koutník et al. 2014)."""
    fast, slow = np.zeros(4), np.zeros(4)
    for t in range(len(x)):
        if t % 2 == 0:
            slow = np.tanh(slow_W @ slow + slow_U[:, :3] @ x[t])
        fast = np.tanh(W @ fast + up @ slow + U @ x[t])
    return (fast * fast).sum()


def clockwork_by_masks(x):
    """The same for all periods at once: a unit whose period does not divide t keeps its value."""
    periods = np.array([1, 1, 2, 4])
    h = np.zeros(4)
    for t, x_t in enumerate(x):
        active = t % periods == 0
        h = np.where(active, np.tanh(W @ h + U @ x_t), h)
    return (h * h).sum()


def dilated(x):
    """Each layer reads its state 2^layer steps ago (Chang et al. 2017)."""
    inputs = [x[t] @ U.T for t in range(len(x))]
    for layer, W_layer in enumerate((W, slow_W)):
        dilation = 2**layer
        states = [np.zeros(4)] * dilation
        for a in inputs:
            states.append(np.tanh(a + W_layer @ states[-dilation]))
        inputs = states[dilation:]
    return (inputs[-1] ** 2).sum()


def skip_connections(x):
    """The state one step and three steps ago."""
    h = {t: np.zeros(4) for t in (-3, -2, -1)}
    for t in range(len(x)):
        h[t] = np.tanh(U @ x[t] + W @ h[t - 1] + up @ h[t - 3])
    return (h[len(x) - 1] ** 2).sum()


def truncated_by_detach(x, k=3):
    """Truncated backpropagation: the state is cut off the graph at every third step."""
    h, loss = np.zeros(4), 0
    for t, x_t in enumerate(x):
        if t > 0 and t % k == 0:
            h = h.detach()
        h = np.tanh(U @ x_t + W @ h)
        loss = loss + ((V @ h - x_t) ** 2).sum()
    return loss


def chunks(x, k=3):
    """A loop over chunks and one within each; the state is carried over, cut off (as in training a language model)."""
    h, total = np.zeros(4), 0
    for start in range(0, len(x), k):
        h = h.detach() if start else h
        loss = 0
        for x_t in x[start : start + k]:
            h = np.tanh(U @ x_t + W @ h)
            loss = loss + ((V @ h - x_t) ** 2).sum()
        total = total + loss / k
    return total


def hierarchical(x, k=3):
    """A lower network reads each chunk from a fresh state, an upper one its last states (El Hihi & Bengio 1996)."""
    top = np.zeros(4)
    for chunk in x.reshape(-1, k, 3):
        h = np.zeros(4)
        for x_t in chunk:
            h = np.tanh(U @ x_t + W @ h)
        top = np.tanh(up @ h + slow_W @ top)
    return (top * top).sum()


def teacher_forcing(y):
    """The next input is the target of the step before."""
    h, previous, loss = np.zeros(4), np.zeros(3), 0
    for y_t in y:
        h = np.tanh(U @ previous + W @ h)
        o = V @ h
        loss = loss + ((o - y_t) ** 2).sum()
        previous = y_t
    return loss


def free_running(start, steps):
    """The next input is the output: the length is an argument."""
    x, h, outputs = start, np.zeros(4), []
    for _ in range(steps):
        h = np.tanh(U @ x + W @ h)
        x = V @ h
        outputs.append(x)
    return outputs


def warm_up(x, n=3):
    """The first three inputs are given, then the network is fed its own output."""
    h, o, loss = np.zeros(4), None, 0
    for t in range(len(x) - 1):
        x_t = x[t] if t < n else o
        h = np.tanh(U @ x_t + W @ h)
        o = V @ h
        loss = loss + ((o - x[t + 1]) ** 2).sum()
    return loss


def scheduled_sampling(y):
    """A coin decides at each step whether the target or the output is the next input (Bengio et al. 2015)."""
    rng = np.random.default_rng(5)
    h, previous, loss = np.zeros(4), np.zeros(3), 0
    for y_t in y:
        h = np.tanh(U @ previous + W @ h)
        o = V @ h
        loss = loss + ((o - y_t) ** 2).sum()
        previous = y_t if rng.random() < 0.5 else o
    return loss


def a_list_of_coins(y, coins):
    """The same with coins that are given: the target is read at some steps only."""
    h = previous = np.zeros(4)
    loss = 0
    for t in range(len(y)):
        previous = y[t] if coins[t] else h
        h = np.tanh(W @ previous)
        loss = loss + (h**2).sum()
    return loss


def every_second_of_a_loop(x):
    """The loop goes through all elements and reads every second one."""
    h = np.zeros(4)
    for t, x_t in enumerate(x):
        h = np.tanh(U @ x_t + W @ h) if t % 2 == 0 else h * 0.5
    return (h**2).sum()


def truncated_by_a_counter(x):
    """No gradient flows across every third step."""
    h, loss = np.zeros(4), 0
    for t, x_t in enumerate(x):
        if t % 3 == 0 and t:
            h = h.detach()
        h = np.tanh(U @ x_t + W @ h)
        loss = loss + (h**2).sum()
    return loss


def a_prompt_and_its_continuation(x, n):
    """In one loop: the inputs are given, and then n outputs are fed back."""
    h = np.zeros(4)
    for t in range(len(x) + n):
        x_t = x[t] if t < len(x) else V @ h
        h = np.tanh(U @ x_t + W @ h)
    return (h**2).sum()


def a_slow_state_at_the_end(x):
    """The loss is of a slow state alone, which the fast one feeds at every third step."""
    h = c = np.zeros(4)
    for t, x_t in enumerate(x):
        h = np.tanh(U @ x_t + W @ h)
        if t % 3 == 2:
            c = np.tanh(W @ c + h)
    return (c**2).sum()


halt = weight(4)


def adaptive_computation(x):
    """At each step as many rounds as a halting unit asks for (Graves 2016), without its remainder."""
    h = np.zeros(4)
    for x_t in x:
        budget, rounds = 1.0, 0
        while budget > 0 and rounds < 4:
            h = np.tanh(U @ x_t + W @ h)
            p = tg.sigmoid(halt @ h + 0.3)
            budget, rounds = budget - p.item(), rounds + 1
    return (h * h).sum()


def until_it_settles(x, tolerance):
    """One input, and the state iterated until it changes little (a deep equilibrium model; Bai et al. 2019)."""
    h, change = np.zeros(4), 1.0
    while change > tolerance:
        new = np.tanh(0.5 * (W @ h) + U @ x)
        change = np.abs((new - h).data).max()
        h = new
    return (h * h).sum()


def every_third_output_counts(x):
    h, loss = np.zeros(4), 0
    for t, x_t in enumerate(x):
        h = np.tanh(U @ x_t + W @ h)
        if t % 3 == 2:
            loss = loss + ((V @ h - x_t) ** 2).sum()
    return loss


def pyramid(x):
    """The layer above reads two states of the layer below at each of its steps (Chan et al. 2016)."""
    h, below = np.zeros(4), []
    for x_t in x:
        h = np.tanh(U @ x_t + W @ h)
        below.append(h)
    g = np.zeros(4)
    for i in range(0, len(below) - 1, 2):
        g = np.tanh(slow_U @ below[i] + up @ below[i + 1] + slow_W @ g)
    return (g * g).sum()


def forecast(x):
    """The series is read to its end; from there on the network reads what it said itself, five steps ahead."""
    h = np.zeros(4)
    for x_t in x:
        h = np.tanh(U @ x_t + W @ h)
    y, loss = V @ h, 0
    for _ in range(5):
        h = np.tanh(U @ y + W @ h)
        y = V @ h
        loss = loss + (y * y).sum()
    return loss


PROGRAMS = {
    "clockwork": Program(
        lambda T: (clockwork, sequence(T, 3)),
        {("slow", "slow"): 2, ("fast", "fast"): 1, ("fast", "slow"): {0, 1}},
        (12, 16),
    ),
    "clockwork-by-masks": Program(lambda T: (clockwork_by_masks, sequence(T, 3)), {("h", "h"): 1}, (8, 12)),
    "dilated": Program(lambda T: (dilated, sequence(T, 3)), {("states", "states"): {0, 1, 2}}, (12, 16)),
    "skip-connections": Program(lambda T: (skip_connections, sequence(T, 3)), {("h", "h"): {1, 3}}, (12, 15)),
    "truncated-by-detach": Program(
        lambda T: (truncated_by_detach, sequence(T, 3)), {("h", "h"): 1, ("loss", "h"): 0}, (12, 15), cuts=True
    ),
    "chunks": Program(
        lambda T: (chunks, sequence(T, 3)), {("h", "h"): (0, 1), ("total", "total"): 1}, (9, 12), cuts=True
    ),
    "hierarchical": Program(lambda T: (hierarchical, sequence(T, 3)), {("h", "h"): (0, 1), ("top", "top"): 1}, (9, 12)),
    "teacher-forcing": Program(
        lambda T: (teacher_forcing, sequence(T, 3)), {("h", "h"): 1, ("h", "y"): 1, ("loss", "y"): 0}
    ),
    "free-running": Program(
        lambda T: (free_running, np.ones(3), T),
        {("h", "h"): 1, ("h", "x"): 1, ("x", "h"): 0},
        loss=False,
    ),
    "warm-up": Program(lambda T: (warm_up, sequence(T, 3)), {("h", "h"): 1, ("o", "h"): 0, ("h", "o"): 1}, (9, 11)),
    "scheduled-sampling": Program(
        lambda T: (scheduled_sampling, sequence(T, 3)),
        {("h", "h"): 1, ("h", "o"): 1, ("h", "y"): 1},
        (8, 10),
        "recorded length",
    ),
    "a-list-of-coins": Program(
        lambda T: (a_list_of_coins, sequence(T, 4), [0, 1, 0, 1, 1, 0]),
        {("h", "h"): 1, ("h", "y"): 0},
        (6, 8),
        "recorded length",
    ),
    "every-second-of-a-loop": Program(
        lambda T: (every_second_of_a_loop, sequence(T, 3)), {("h", "x"): 0, ("h", "h"): 1}, (8, 12)
    ),
    "truncated-by-a-counter": Program(
        lambda T: (truncated_by_a_counter, sequence(T, 3)), {("h", "h"): 1, ("h", "x"): 0}, (9, 12), cuts=True
    ),
    "a-prompt-and-its-continuation": Program(
        lambda T: (a_prompt_and_its_continuation, sequence(T, 3), 3), {("h", "h"): 1, ("h", "x"): 0}, (9, 12)
    ),
    "a-slow-state-at-the-end": Program(
        lambda T: (a_slow_state_at_the_end, sequence(T, 3)), {("h", "h"): 1, ("c", "c"): 3, ("c", "h"): 0}, (9, 12)
    ),
    "adaptive-computation": Program(
        lambda T: (adaptive_computation, sequence(T, 3)), {("h", "h"): {(0, 1), (1, -2)}}, (5, 7), "recorded length"
    ),
    "until-it-settles": Program(lambda T: (until_it_settles, sequence(3), 10.0**-T), {("new", "new"): 1}, (2, 3)),
    "every-third-output-counts": Program(
        lambda T: (every_third_output_counts, sequence(T, 3)), {("h", "h"): 1}, (12, 15)
    ),
    "pyramid": Program(lambda T: (pyramid, sequence(T, 3)), {("h", "h"): 1, ("g", "g"): 1}, (8, 12)),
    "forecast": Program(
        lambda T: (forecast, sequence(T, 3)), {("h", "h"): 1, ("h", "y"): 1, ("y", "h"): {0, "last"}}, (7, 9)
    ),
}
