"""The drawn face, its video, and pictures of curves.

May import: common.
"""
