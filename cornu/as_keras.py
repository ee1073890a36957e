"""Serve `import keras` and `tensorflow.keras` from cornu: `import cornu.as_keras` on top of a script or notebook.

Importing this module has this effect; `serving` says how.
"""

from cornu.import_hook import install

install()
