"""The version of cornu, and the Keras version with which its API and files are compatible."""

__version__ = "0.1.0"
KERAS = "3.15.1"
