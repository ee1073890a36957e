"""Lets the tests of this folder import the comparison they share, `layer_oracle`."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
