"""HTML pages of a dataset and of a scorecard.

May import: common, media, preview, dataset, scoring.
"""
