"""The character corpus and its n-gram baselines."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.tasks import characters
from zoo.tasks.characters import Corpus, NGram, ngram_nats, windows

ABRACADABRA = Corpus("abracadabra, abracadabra; cadabra!")


@pytest.fixture(scope="module")
def topics() -> Corpus:
    return characters.load()


# The corpus


def test_the_first_nine_tenths_train_and_the_last_tenth_validates():
    corpus = Corpus("abcdefghij" * 10)
    assert corpus.decode(corpus.train) == "abcdefghij" * 9
    assert corpus.decode(corpus.validation) == "abcdefghij"
    assert corpus.train.dtype == corpus.validation.dtype == np.int64


def test_the_alphabet_is_every_character_of_the_whole_text_sorted():
    corpus = Corpus("hello world, and then z")  # z stands in the validation part only
    assert corpus.alphabet == " ,adehlnortwz"
    np.testing.assert_array_equal(corpus.encode(" ,z"), [0, 1, 12])


@given(st.text("abcß ’€\n\0\U0001f600", min_size=10))
def test_decoding_undoes_encoding(text):
    corpus = Corpus(text)
    assert corpus.decode(corpus.encode(text)) == text
    assert corpus.decode([]) == ""
    assert corpus.encode("").size == 0


def test_the_codes_of_a_corpus_cannot_be_written_to():
    for part in ABRACADABRA.train, ABRACADABRA.validation:
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 0


def test_equal_texts_are_equal_corpora():
    assert Corpus("abracadabra") == Corpus("abracadabra") != Corpus("abracadabrb")


def test_the_help_topics_are_some_400_000_characters_of_about_100_kinds(topics):
    assert 300_000 < len(topics.text) < 1_000_000
    assert 90 < len(topics.alphabet) < 150
    assert len(topics.train) + len(topics.validation) == len(topics.text)
    assert len(topics.train) == len(topics.text) * 9 // 10


def test_a_file_is_read_as_utf_8_without_its_byte_order_mark(tmp_path):
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbf" + "größer als null".encode())
    assert characters.load(tmp_path / "text").text == "größer als null"
    assert characters.load(str(tmp_path / "text")).alphabet == " aeglnrsußö"


def test_encoding_names_every_unknown_character_and_where_the_first_stands():
    with pytest.raises(ValueError, match=r"not in the alphabet of this corpus: '\?', 'é' \(the first at position 3\)"):
        ABRACADABRA.encode("cadéé?")


@pytest.mark.parametrize("codes", [[-1], [99], [0.5], [True]])
def test_decoding_anything_but_codes_of_the_alphabet_is_an_error(codes):
    with pytest.raises(ValueError, match="codes must be whole numbers from 0 to 8"):
        ABRACADABRA.decode(codes)


def test_decoding_a_matrix_is_an_error():
    with pytest.raises(ValueError, match=r"one vector, not an array of shape \(1, 2\)"):
        ABRACADABRA.decode([[0, 1]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the text is empty: splitting it 90/10 needs at least 10"),
        (b"too short", "the text has only 9 characters: splitting it 90/10 needs at least 10"),
        (b"abracadabra\xff", r"is not UTF-8 \(at byte 11\): save it again as UTF-8"),
    ],
)
def test_a_file_that_is_no_corpus_is_an_error_that_names_it_and_the_mend(tmp_path: Path, content, message):
    (tmp_path / "poem.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"poem\.txt.*" + message) as error:
        characters.load(tmp_path / "poem.txt")
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_errors_that_name_the_mend(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"poem\.txt: no such file; without a path, Python's help topics"):
        characters.load(tmp_path / "poem.txt")
    with pytest.raises(IsADirectoryError, match="is a folder: name one text file in it"):
        characters.load(tmp_path)


# Windows


def test_every_window_is_a_piece_of_the_text_and_y_is_one_character_later():
    x, y = windows(ABRACADABRA.train, T=5, B=200, rng=0)
    assert x.shape == y.shape == (5, 200)
    np.testing.assert_array_equal(x[1:], y[:-1])
    train = ABRACADABRA.decode(ABRACADABRA.train)
    pieces = {ABRACADABRA.decode([*xb, yb[-1]]) for xb, yb in zip(x.T, y.T, strict=True)}
    assert pieces == {train[i : i + 6] for i in range(len(train) - 5)}  # all of them, the first and the last too


def test_the_longest_window_is_the_whole_text():
    x, y = windows(np.arange(8), T=7, B=2, rng=0)
    np.testing.assert_array_equal(x.T, [range(7)] * 2)
    np.testing.assert_array_equal(y.T, [range(1, 8)] * 2)


def test_the_same_seed_gives_the_same_windows_and_a_generator_goes_on():
    codes = np.arange(1000)
    first, _ = windows(codes, 3, 20, rng=1)
    again, _ = windows(codes, 3, 20, rng=1)
    np.testing.assert_array_equal(first, again)
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(first, windows(codes, 3, 20, rng)[0])
    assert (first != windows(codes, 3, 20, rng)[0]).any()


@pytest.mark.parametrize(
    ("T", "B", "message"),
    [
        (0, 1, "T = 0, B = 1: both must be at least 1"),
        (1, 0, "T = 1, B = 0: both must be at least 1"),
        (8, 1, "T = 8 needs at least 9 characters, not 8: choose a smaller T"),
    ],
)
def test_windows_that_cannot_be_cut_are_an_error(T, B, message):
    with pytest.raises(ValueError, match=message):
        windows(np.arange(8), T, B, rng=0)


# N-grams


def witten_bell(text: str, alphabet: str, c: str, h: str) -> float:
    """P(c | h) as the formula says it, with dictionaries and recursion."""
    followers: dict[str, Counter] = defaultdict(Counter)
    for i in range(len(h), len(text)):
        followers[text[i - len(h) : i]][text[i]] += 1
    below = witten_bell(text, alphabet, c, h[1:]) if h else 1 / len(alphabet)
    N, T = followers[h].total(), len(followers[h])
    return (followers[h][c] + T * below) / (N + T) if T else below


def test_bigram_of_a_text_small_enough_to_count_by_hand():
    """abab: after a, b twice of twice, T(a) = 1; the unigrams are (2 + 2 ⅓)/(4 + 2) for a and for b."""
    a, b, c = NGram([0, 1, 0, 1], n=2, alphabet_size=3).probabilities([0])
    assert (a, b, c) == pytest.approx((4 / 27, 22 / 27, 1 / 27), rel=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_probabilities_agree_with_the_formula_in_dictionaries(n):
    corpus = ABRACADABRA
    train, validation = corpus.decode(corpus.train), corpus.decode(corpus.validation)
    model = NGram(corpus.train, n, len(corpus.alphabet))
    for context in "abra", "cada", ";!!a", "!!!!":
        h = context[5 - n :]
        expected = [witten_bell(train, corpus.alphabet, c, h) for c in corpus.alphabet]
        np.testing.assert_allclose(model.probabilities(corpus.encode(context)), expected, rtol=1e-12)

    nats, text = 0.0, train
    for c in validation:
        nats -= np.log(witten_bell(train, corpus.alphabet, c, text[len(text) - (n - 1) :])) / len(validation)
        text += c
    assert ngram_nats(corpus, n) == pytest.approx(nats, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("context", ["clas", "retu", "~~~~", "@#~z"])
def test_probabilities_over_the_alphabet_sum_to_1_after_seen_and_unseen_contexts(topics, n, context):
    p = NGram(topics.train, n, len(topics.alphabet)).probabilities(topics.encode(context))
    assert p.shape == (len(topics.alphabet),)
    assert p.min() > 0
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_an_unseen_context_leaves_the_prediction_to_the_order_below():
    size = len(ABRACADABRA.alphabet)
    unseen = ABRACADABRA.encode("!a")
    trigram, bigram = NGram(ABRACADABRA.train, 3, size), NGram(ABRACADABRA.train, 2, size)
    np.testing.assert_array_equal(trigram.probabilities(unseen), bigram.probabilities(unseen))


def test_each_longer_context_predicts_the_help_topics_better_up_to_four(topics):
    uniform = np.log(len(topics.alphabet))
    unigram, bigram, trigram, fourgram, fivegram = (ngram_nats(topics, n) for n in (1, 2, 3, 4, 5))
    assert fourgram < trigram < bigram < unigram < uniform
    # Measured on Python 3.11; other versions carry slightly other topics.
    figures = (unigram, bigram, trigram, fourgram, fivegram)
    assert figures == pytest.approx((3.2376, 2.3181, 1.7118, 1.4041, 1.3202), abs=0.1)


def test_a_text_of_one_character_costs_nothing():
    assert ngram_nats(Corpus("a" * 20), 3) == 0


@given(st.lists(st.integers(0, 3), min_size=3, max_size=30), st.lists(st.integers(0, 3), min_size=2))
def test_probabilities_sum_to_1_whatever_the_text(codes, context):
    assert NGram(codes, 3, 4).probabilities(context).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("codes", "n", "size", "message"),
    [
        ([0, 1, 2], 0, 3, "an n-gram model of 3 characters needs 1 ≤ n ≤ 3, not n = 0"),
        ([0, 1, 2], 4, 3, "an n-gram model of 3 characters needs 1 ≤ n ≤ 3, not n = 4"),
        ([0] * 20, 10, 103, "n = 10: 103ⁿ n-grams are too many to number in 63 bits: choose a smaller n"),
        ([0, 1, 3], 2, 3, "codes must be whole numbers from 0 to 2"),
        ([0, -1], 2, 3, "codes must be whole numbers from 0 to 2"),
    ],
)
def test_an_ngram_model_that_cannot_be_counted_is_an_error(codes, n, size, message):
    with pytest.raises(ValueError, match=message):
        NGram(codes, n, size)


def test_too_short_a_context_or_nothing_to_score_is_an_error():
    trigram = NGram([0, 1, 2, 0], 3, 3)
    with pytest.raises(ValueError, match="n = 3 needs 2 characters of context, there are 1"):
        trigram.probabilities([0])
    with pytest.raises(ValueError, match="n = 3 needs 2 characters of context, there are 0"):
        trigram.nats([1], context=[])
    with pytest.raises(ValueError, match="there are no codes to score"):
        trigram.nats([], context=[0, 1])
