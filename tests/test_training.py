"""The training loop stops and goes on without a trace, and saves nothing broken; the character task it is tried on."""

import signal
import sys
import threading
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest

from tinygrad_rnn.autodiff.tensor import Tensor
from tinygrad_rnn.nn.checkpoints import CheckpointError, load_checkpoint
from zoo.pattern_1 import Pattern1
from zoo.tasks.characters import Characters, Corpus, NGram, ngram_nats
from zoo.training import History, train

CORPUS = Corpus("abracadabra, abracadabra; cadabra! " * 5)
STEPS = 12


class Small(Characters):
    """A task in which something happens while batch number `at` is drawn."""

    def __init__(self, at=0, happens=None):
        super().__init__(CORPUS, T=5, B=3)
        self.at, self.happens, self.drawn = at, happens, 0

    def batch(self, rng):
        self.drawn += 1
        if self.drawn == self.at:
            self.happens()
        return super().batch(rng)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def new_model(hidden=6):
    return Pattern1(len(CORPUS.alphabet), hidden, len(CORPUS.alphabet), rng=0, dtype=np.float32)


def run(task=None, model=None, **changes):
    """A short run: its model and its history."""
    model = model or new_model()
    arguments = {"steps": STEPS, "lr": 0.01, "rng": 1, "every": 5} | changes
    return model, train(model, task or Small(), **arguments)


def assert_equal_to_the_bit(one, other):
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


# Stopping and going on


@pytest.mark.parametrize("at", [1, 5, 6, 12])
def test_a_run_stopped_by_ctrl_c_and_resumed_equals_one_never_stopped(tmp_path, at):
    uninterrupted, expected = run()
    with pytest.raises(KeyboardInterrupt):
        run(Small(at, press_ctrl_c), checkpoint=tmp_path / "run.npz")
    step, _ = load_checkpoint(tmp_path / "run.npz", model=new_model())
    assert step == at  # the step that Ctrl-C fell into was finished and saved
    resumed, history = run(checkpoint=tmp_path / "run.npz")
    assert_equal_to_the_bit(resumed, uninterrupted)
    assert (history.step, history.train, history.validation) == (expected.step, expected.train, expected.validation)
    assert history.seconds == sorted(history.seconds)


def test_a_run_killed_between_two_checkpoints_goes_on_from_the_last_and_ends_in_the_same_bits(tmp_path):
    def kill():
        raise KeyboardInterrupt

    uninterrupted, expected = run()
    with pytest.raises(KeyboardInterrupt):
        run(Small(9, kill), checkpoint=tmp_path / "run.npz")
    assert load_checkpoint(tmp_path / "run.npz", model=new_model())[0] == 5
    resumed, history = run(checkpoint=tmp_path / "run.npz")
    assert_equal_to_the_bit(resumed, uninterrupted)
    assert history.train == expected.train


def test_a_second_ctrl_c_does_not_wait_for_the_step(tmp_path):
    def press_twice():
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        run(Small(7, press_twice), checkpoint=tmp_path / "run.npz")
    assert load_checkpoint(tmp_path / "run.npz", model=new_model())[0] == 5


def test_ctrl_c_means_afterwards_what_it_meant_before():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(Small(2, press_ctrl_c))
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_in_a_thread_which_never_sees_ctrl_c():
    found = []
    thread = threading.Thread(target=lambda: found.append(run()))
    thread.start()
    thread.join()
    assert_equal_to_the_bit(found[0][0], run()[0])


def test_a_finished_run_has_nothing_left_to_do_until_it_is_given_more_steps(tmp_path):
    finished, history = run(checkpoint=tmp_path / "run.npz")
    task = Small()
    again, same = run(task, checkpoint=tmp_path / "run.npz")
    assert task.drawn == 0
    assert_equal_to_the_bit(again, finished)
    assert same == history
    _, longer = run(task, checkpoint=tmp_path / "run.npz", steps=STEPS + 3)
    assert (task.drawn, longer.step) == (3, [5, 10, 12, 15])


def test_a_fresh_run_starts_over_and_takes_the_place_of_the_old(tmp_path):
    run(checkpoint=tmp_path / "run.npz", rng=7)
    fresh, _ = run(checkpoint=tmp_path / "run.npz", fresh=True)
    assert_equal_to_the_bit(fresh, run()[0])
    loaded = new_model()
    load_checkpoint(tmp_path / "run.npz", model=loaded)
    assert_equal_to_the_bit(loaded, fresh)


def test_neither_reports_nor_checkpoints_change_what_is_learnt(tmp_path):
    often, _ = run(every=1, checkpoint=tmp_path / "run.npz")
    assert_equal_to_the_bit(often, run(every=100)[0])


def test_the_learning_rate_falls_linearly_from_the_given_one_towards_0(tmp_path):
    for at, expected in (1, 0.01), (4, 0.0075), (12, 0.01 / 12):
        with pytest.raises(KeyboardInterrupt):
            run(Small(at, press_ctrl_c), checkpoint=tmp_path / f"{at}.npz")
        assert np.load(tmp_path / f"{at}.npz")["optimiser/lr"] == pytest.approx(expected)


# What is refused


def test_a_loss_that_is_not_finite_stops_the_run_and_the_last_good_checkpoint_stays(tmp_path):
    model = new_model()

    def explode():
        model.V.data = np.full_like(model.V.data, np.inf)

    with pytest.raises(FloatingPointError, match=r"step 8: the loss is nan \(.*run\.npz\): try a smaller"):
        run(Small(8, explode), model, checkpoint=tmp_path / "run.npz")
    good = new_model()
    assert load_checkpoint(tmp_path / "run.npz", model=good)[0] == 5
    assert all(np.isfinite(weight).all() for weight in good.state_dict().values())


def test_a_validation_loss_that_is_not_finite_is_not_saved(tmp_path):
    class Hopeless(Small):
        def validation_loss(self, model):
            return np.inf

    with pytest.raises(FloatingPointError, match="step 5: the validation loss is inf"):
        run(Hopeless(), checkpoint=tmp_path / "run.npz")
    assert load_checkpoint(tmp_path / "run.npz", model=new_model())[0] == 0


def test_a_large_gradient_is_clipped_and_so_moves_nothing_far():
    before = new_model().state_dict()
    model, _ = run(steps=1, clip=1e-12)  # far below Adam's ε = 1e-8, so that the clipped step is tiny
    for name, weight in model.state_dict().items():
        np.testing.assert_allclose(weight, before[name], atol=1e-5)


def test_a_checkpoint_of_other_settings_or_of_another_model_is_refused(tmp_path):
    run(checkpoint=tmp_path / "run.npz", settings={"text": "poems", "T": 5})
    with pytest.raises(ValueError, match=r"run\.npz: is of another run \(text is poems, not prose\): .* start fresh"):
        run(checkpoint=tmp_path / "run.npz", settings={"text": "prose", "T": 5})
    with pytest.raises(CheckpointError, match=r"run\.npz: is of another model"):
        run(model=new_model(hidden=7), checkpoint=tmp_path / "run.npz")


def test_a_place_that_cannot_be_written_to_is_an_error_before_the_first_step(tmp_path):
    (tmp_path / "run.npz").mkdir()
    task = Small()
    with pytest.raises(CheckpointError, match=r"run\.npz"):
        run(task, checkpoint=tmp_path / "run.npz")
    assert task.drawn == 0


# What is seen


def test_the_history_has_a_row_for_each_report_and_one_for_the_end():
    model, history = run()
    task = Small()
    assert history.step == [5, 10, 12]
    assert history.validation[-1] == task.validation_loss(model)
    assert len(history.train) == len(history.seconds) == 3
    assert history.recent == []


def test_the_training_loss_of_a_report_is_the_mean_since_the_last():
    history = History(recent=[1.0, 2.0, 6.0])
    history.report(3, validation=4.0)
    history.recent.append(5.0)
    history.report(4, validation=4.5)
    assert (history.train, history.validation) == ([3.0, 5.0], [4.0, 4.5])


def test_a_run_shows_its_losses_and_a_sample_at_every_report(capsys):
    _, history = run(show=True)
    shown = capsys.readouterr().out
    for step, training, validation in zip(history.step, history.train, history.validation, strict=True):
        assert f"step {step} of 12: training {training:.3f}, validation {validation:.3f} nats, after 0 s" in shown
    assert sum(len(line) for line in shown.splitlines() if line.startswith("    │ ")) >= 3 * 300


def test_on_a_terminal_a_bar_shows_loss_speed_and_the_time_left(monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    run(show=True, every=12)
    bar = sys.stderr.getvalue().rpartition("\r")[2]
    assert "100%" in bar
    assert "step 12 of 12, 00:00 left, loss " in bar
    assert bar.rstrip().endswith(" characters/s")


def test_nothing_is_printed_unless_asked_for(capsys):
    run()
    assert capsys.readouterr() == ("", "")


def test_without_tqdm_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"^the progress bar needs tqdm: pip install 'tinygrad_rnn\[gallery\]'$"):
        run(show=True)
    run(show=False)


# The task


class Counting:
    """A bigram model in the place of a network: h is the character before, o its log-probabilities."""

    def __init__(self, corpus):
        size = len(corpus.alphabet)
        bigram = NGram(corpus.train, 2, size)
        self.P = np.array([bigram.probabilities([c]) for c in range(size)])

    def initial_state(self, B):
        return None

    def step(self, x, h):
        return Tensor(np.log(x @ self.P)), None


def test_a_batch_is_one_hot_windows_and_the_codes_of_the_characters_after():
    task = Characters(CORPUS, T=4, B=2, dtype=np.float32)
    x, y = task.batch(np.random.default_rng(0))
    assert (x.shape, x.dtype, y.shape) == ((4, 2, len(CORPUS.alphabet)), np.float32, (4, 2))
    assert (x.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(x.argmax(axis=-1)[1:], y[:-1])


@pytest.mark.parametrize("streams", [1, 7, 64])
@pytest.mark.parametrize("text", ["abracadabra, abracadabra; cadabra! " * 40, "abracadabra"])
def test_the_validation_loss_is_comparable_with_the_ngram_models(text, streams):
    corpus = Corpus(text)
    task = Characters(corpus, dtype=float)
    expected = ngram_nats(corpus, 2)
    assert task.baselines["bigram"] == expected
    assert task.validation_loss(Counting(corpus), streams=streams) == pytest.approx(expected, rel=1e-12)


def test_validation_side_by_side_gives_the_loss_of_one_long_reading():
    task = Characters(Corpus("abracadabra, abracadabra; cadabra! " * 100), dtype=float)
    model = Pattern1(task.inputs, 10, task.outputs, rng=0)
    model.W.data = 0.7 * model.W.data  # it forgets: 0.7¹⁰⁰ = 3e-16
    in_one = task.validation_loss(model, streams=1)
    assert task.validation_loss(model, streams=10) == pytest.approx(in_one, rel=1e-12)
    assert task.validation_loss(model, streams=10, warm_up=0) != pytest.approx(in_one, rel=1e-6)


def test_samples_are_drawn_with_the_models_probabilities():
    corpus = Corpus("aab" * 400)
    task = Characters(corpus, dtype=float)
    model = Counting(corpus)
    model.P = np.array([[0.2, 0.8], [0.6, 0.4]])  # of a and b after a; after b
    text = task.sample(model, 0, length=4000)
    after_a = [d for c, d in pairwise(text) if c == "a"]
    assert after_a.count("b") / len(after_a) == pytest.approx(0.8, abs=0.03)
    assert text == task.sample(model, 0, length=4000) != task.sample(model, 1, length=4000)
    assert task.sample(model, 0, length=8, temperature=0.01) == "abababab"  # the likeliest after …aab


def test_a_text_that_repeats_itself_is_learnt_to_nearly_0_nats_and_written_on():
    corpus = Corpus("hello world, " * 30)  # after l come l, o and d
    task = Characters(corpus, T=20, B=8)
    model = Pattern1(task.inputs, 24, task.outputs, rng=0, dtype=np.float32)
    history = train(model, task, steps=300, lr=0.02, rng=0)
    assert ngram_nats(corpus, 2) > 0.2
    assert history.validation[-1] < 0.01
    assert task.sample(model, rng=0, length=26) in "hello world, " * 4
