"""Many sounds in one run: which they are, which are done, and the processes that animate them.

May import: common, formats, media, animation, dataset, editing, pages.
"""
