"""Speakers told apart by a network: which style a subject has, as the network is told of it."""
import numpy as np


def style_of_subject(name, styles):
    """[len(styles)]: 1 at the style that the subject's name begins with (the longest such).

    A subject of no style is told of as the mean of all, as is speech at inference by default.
    None where there are no styles.
    """
    if not styles:
        return None
    fitting = [style for style in styles if name.startswith(style)]
    if not fitting:
        return np.full(len(styles), 1.0 / len(styles), np.float32)
    return np.float32([style == max(fitting, key=len) for style in styles])
