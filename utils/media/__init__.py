"""Sound and pictures through ffmpeg: samples, frames with their times, loudness.

May import: common.
"""
