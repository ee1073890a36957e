"""The same Keras script on cornu and on its peers, each in an environment and a process of its own, in turns.

`plan` says what is timed and what is aimed at. `driver` starts one process a peer (`peers`) and asks them in turns;
`report` draws the table and the chart. A process runs `worker`, which takes the work from `keras_work` (over the
networks of `graphs`) or `torch_work`, both over the tables of `shapes`: these five run in the peers' environments,
where cornu is not installed, and import nothing from it; nor do `cornu bench`'s `networks`, which `graphs` takes in.
"""
