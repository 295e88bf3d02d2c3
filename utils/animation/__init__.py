"""Sound to face at run time: the streaming SpeechAnimator, eye motion, a whole file.

May import: common, formats, media, network, preview, deepspeech.
"""
