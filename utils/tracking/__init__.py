"""Video to face: MediaPipe's networks, in its own package or in TensorFlow.

May import: common, media.
"""
