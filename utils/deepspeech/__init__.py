"""Sound to letters: DeepSpeech 0.5.0's front end and acoustic graph, windows of features, words.

May import: common, media.
"""
