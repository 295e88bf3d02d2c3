"""Constants, channel names, errors, files, processes: what every other package may use.

May import: no other package of utils.
"""
