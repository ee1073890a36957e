"""The same Keras script on cornu and on its peers, each in an environment and a process of its own, in turns."""
