"""A process that was forked: it computes where JAX had not started, and says at once that it cannot where it had."""

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cornu

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")

ROOT = Path(cornu.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}

FORKS = """
import json, multiprocessing, os, sys, warnings
import numpy as np
import cornu

warnings.simplefilter("ignore")
x = np.ones((2, 8), "float32")
said = {}

def answer(what):
    try:
        return what()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def forked(*questions):
    read, write = os.pipe()
    if not os.fork():
        os.write(write, json.dumps([answer(what) for what in questions]).encode())
        sys.exit(0)  # as servers do, with everything that then runs
    os.close(write)
    answers = json.loads(os.fdopen(read).read())
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    return answers

def made():
    return cornu.Sequential([cornu.Input((8,)), cornu.layers.Dense(3, kernel_initializer="ones")])

def sums(what):
    return float(np.sum(what))

said["made in the child"] = forked(lambda: sums(made().predict(x, verbose=0)))
model = made()
constant = cornu.ops.ones(3)
said["parent"] = sums(model.predict(x, verbose=0))
said["refused"] = forked(
    lambda: model.predict(x, verbose=0),
    lambda: model(x),
    lambda: cornu.ops.add(x, 1),
    lambda: constant + 1,
    lambda: made(),
)
said["read"] = forked(lambda: sums(model.get_weights()[0]), lambda: model.save(sys.argv[1]))

def work(queue):
    queue.put(answer(lambda: model.predict(x, verbose=0)))

context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=work, args=(queue,))
process.start()
said["refused"].append(queue.get())
process.join()
with context.Pool(1) as pool:
    said["pool"] = pool.map(abs, [-3, 4])
said["parent again"] = sums(model.predict(x, verbose=0))
print(json.dumps(said))
"""


def test_a_forked_process_computes_or_says_at_once_that_it_cannot(tmp_path):
    path = tmp_path / "model.keras"
    done = subprocess.run(
        [sys.executable, "-c", FORKS, path], env=ENVIRONMENT, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "Exception ignored" not in done.stderr
    said = json.loads(done.stdout)
    refused = said.pop("refused")
    assert len(refused) == 6
    for text in refused:
        assert "RuntimeError" in text and "forked after JAX was initialized" in text and "spawn" in text
    assert said == {"made in the child": [48], "parent": 48, "read": [24, None], "pool": [3, 4], "parent again": 48}
    assert cornu.models.load_model(path).count_params() == 27


SERVER = """
import numpy as np
import cornu

model = cornu.Sequential([cornu.Input((8,)), cornu.layers.Dense(3, kernel_initializer="ones")])
model.predict(np.ones((1, 8)), verbose=0)

def app(environment, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        return [str(model.predict(np.ones((1, 8)), verbose=0)).encode()]
    except RuntimeError as error:
        return [str(error).encode()]
"""


@pytest.mark.skipif(importlib.util.find_spec("gunicorn") is None, reason="gunicorn is not installed")
def test_a_server_that_loads_its_model_before_it_forks_says_what_to_do(tmp_path):
    (tmp_path / "server.py").write_text(SERVER)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--bind", "unix:socket", "server:app"]
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as server:
        try:
            assert "gunicorn: without --preload" in asked(tmp_path / "socket", server)
        finally:
            server.terminate()


def asked(path: Path, server: subprocess.Popen) -> str:
    """What the server answers, once it is there."""
    end = time.monotonic() + 60
    while not path.exists():
        assert server.poll() is None and time.monotonic() < end, "the server did not start"
        time.sleep(0.05)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    connection.sock.connect(str(path))
    connection.request("GET", "/")
    return connection.getresponse().read().decode()
