"""Speaking styles: which style a subject has, as the one-hot vector that the network takes."""
import numpy as np


def style_of_subject(name, styles):
    """[len(styles)]: 1 at the style that the subject's name begins with (the longest such).

    A subject without a style gets the mean of all, as inference does by default.
    None where there are no styles.
    """
    if not styles:
        return None
    fitting = [style for style in styles if name.startswith(style)]
    if not fitting:
        return np.full(len(styles), 1.0 / len(styles), np.float32)
    return np.float32([style == max(fitting, key=len) for style in styles])
