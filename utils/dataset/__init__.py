"""Videos and captures to training data: labels, alignment, cleaning, the dataset on disk.

May import: common, formats, media, tracking.
"""
