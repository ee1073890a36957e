"""The version of cornu, and that of Keras whose names and files it has, in one place."""

__version__ = "0.1.0"
KERAS = "3.15.1"
