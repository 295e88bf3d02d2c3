"""Synthetic speech with phone times, and the faces that speak it.

May import: common, formats, media, animation.
"""
