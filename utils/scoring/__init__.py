"""How good a face is: measures, baselines, the scorecard.

May import: common, formats, media, animation, dataset.
"""
