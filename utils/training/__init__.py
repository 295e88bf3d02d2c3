"""A training run: config, subjects, batches, the loop, validation, TensorBoard.

May import: common, media, network, preview, deepspeech, dataset, scoring.
"""
