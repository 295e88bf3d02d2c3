"""Changes of a face before it is written: rest pose, blinks, a capture's brows and eyes, sides.

May import: common, formats, media, animation, dataset.
"""
