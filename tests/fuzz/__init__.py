"""A fuzzer of cornu's files: good files of every format are changed at random, and must load or be refused.

`seeds` makes the good files, `mutate` changes them, `hostile` and `hostile_bytes` write well-formed ones that ask for
much, `worker` opens them in a process with limits, `__main__` drives.
"""
