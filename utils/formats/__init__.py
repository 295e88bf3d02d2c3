"""The files that hold faces and times: one module a format, reader and writer together.

May import: common.
"""
