"""Where the repository and the optional shared data lie."""
import os

from utils.common.constants import REPOSITORY

SHARED = os.path.join(os.path.dirname(REPOSITORY), "shared")
