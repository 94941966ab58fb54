"""Data that come in batches: samples of rows, and what a generator yields.

An entry of a model's data may be a `Feed`. Each iteration of a fit then sees its next batch: compiled code gathers rows
that lie in memory, Python is asked for all others. The room stands before models, whose data these are.
"""

from nbinfer.streaming.feed import Feed
from nbinfer.streaming.generators import GeneratorAdapter, GeneratorData, generator
from nbinfer.streaming.minibatch import Minibatch, align_minibatches

__all__ = ["Feed", "GeneratorAdapter", "GeneratorData", "Minibatch", "align_minibatches", "generator"]
