"""The metrics of a training reach a web server, and a server that is away does not end the training."""

import http.server
import json
import threading
import urllib.parse

import numpy as np
import pytest

import cornu
from cornu.callbacks import RemoteMonitor

LOGS = {"loss": 0.5, "val_loss": np.float32(0.25), "by_class": np.ones(2)}
SENT = {"epoch": 3, "loss": 0.5, "val_loss": 0.25, "by_class": [1.0, 1.0]}


@pytest.fixture
def server():
    """A web server on this machine: its address, the requests so far as (path, headers, body), its status."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            seen.append((self.path, self.headers, self.rfile.read(length).decode()))
            self.send_response(self.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", seen, Handler
        web.shutdown()
        thread.join()


def test_each_epoch_is_sent_as_a_form(server):
    root, seen, _ = server
    RemoteMonitor(root).on_epoch_end(3, LOGS)
    ((path, headers, body),) = seen
    assert path == "/publish/epoch/end/"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == SENT


def test_fit_sends_json_with_headers_of_ones_own(server):
    root, seen, _ = server
    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = RemoteMonitor(root, path="/runs/7", headers={"Authorization": "me"}, send_as_json=True)
    history = model.fit(np.ones((4, 1)), np.ones(4), epochs=2, callbacks=[monitor], verbose=0)
    assert [json.loads(body)["loss"] for _, _, body in seen] == history.history["loss"]
    path, headers, _ = seen[0]
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/runs/7", "me", "application/json")


def test_a_field_of_another_name(server):
    root, seen, _ = server
    RemoteMonitor(root, field="metrics").on_epoch_end(0, {})
    assert urllib.parse.parse_qs(seen[0][2]) == {"metrics": ['{"epoch": 0}']}


def test_what_is_sent_is_json_also_after_the_loss_became_nan(server):
    root, seen, _ = server
    RemoteMonitor(root, send_as_json=True).on_epoch_end(0, {"loss": np.float32(np.nan), "by_class": [1.0, np.inf]})
    assert seen[0][2] == '{"epoch": 0, "loss": null, "by_class": [1.0, null]}'


def test_a_server_that_refuses_or_is_away_is_warned_of(server):
    root, _, handler = server
    handler.status = 500
    with pytest.warns(UserWarning, match="did not accept the metrics of epoch 4: HTTP Error 500"):
        RemoteMonitor(root).on_epoch_end(3, LOGS)
    with pytest.warns(UserWarning, match="127.0.0.1:1' did not accept"):
        RemoteMonitor("http://127.0.0.1:1").on_epoch_end(3, LOGS)


def test_an_address_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"root must begin with http:// or https://. Received: root='file:///tmp"):
        RemoteMonitor("file:///tmp/metrics")
