"""Every recurrent model of Goodfellow, Bengio and Courville, *Deep Learning*, chapter 10: one idea to a file,
each written as its equations and nothing else.
"""

from .layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
