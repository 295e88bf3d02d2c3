"""HTML pages of a dataset, of a scorecard and of a take.

May import: common, formats, media, preview, dataset, scoring.
"""
