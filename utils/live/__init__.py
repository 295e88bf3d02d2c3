"""Sound to a face while it is spoken: sources, the clock of frames, and the tools they go to.

May import: common, formats, media, animation, pages.
"""
