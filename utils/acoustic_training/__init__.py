"""How an acoustic graph is made: recordings, alignment, streams, network, training.

May import: common, media, deepspeech, speech.
"""
