"""The animation network: layers, losses, the model class, its checkpoints.

May import: common.
"""
