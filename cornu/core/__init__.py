"""What everything else is made of: variables, symbolic tensors, operations, and objects that know their config."""

from cornu.core.forks import register

register()
