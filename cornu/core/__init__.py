"""The foundation: variables, symbolic tensors, operations, and objects that can describe their own config."""

from cornu.core.forks import register

register()
