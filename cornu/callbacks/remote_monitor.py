"""The metrics of every epoch sent to a web server."""

import json
import math
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping

import numpy as np

from cornu.callbacks.callback import Callback
from cornu.core import placement
from cornu.core.typing import HookLogs

_SECONDS = 10.0  # timeout after which training continues


class RemoteMonitor(Callback):
    """Sends the metrics of each epoch to a web server, as `{"epoch": 0, "loss": ...}`.

    NaN and infinity, which JSON does not support, are sent as `null`. If the server cannot be reached, rejects the
    request or takes more than 10 seconds, there is a warning and training continues.

    Args:
        root: address of the server, with `http://` or `https://`. Defaults to `"http://localhost:9000"`.
        path: path relative to `root` to which requests are sent. Defaults to `"/publish/epoch/end/"`.
        field: form field that contains the metrics as JSON, unless `send_as_json`. Defaults to `"data"`.
        headers: additional HTTP headers, by name. None by default.
        send_as_json: whether to send the JSON itself as the request body, rather than a form. Defaults to False.

    Raises:
        ValueError: if `root` is not the address of a web server.

    Example:
        monitor = cornu.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ):
        super().__init__()
        if not root.lower().startswith(("http://", "https://")):
            raise ValueError(f"RemoteMonitor: root must begin with http:// or https://. Received: root={root!r}.")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        if not placement.writes():
            return
        values = {name: _as_json(np.asarray(value).tolist()) for name, value in (logs or {}).items()}
        try:
            urllib.request.urlopen(self._request({"epoch": epoch} | values), timeout=_SECONDS).close()
        except OSError as error:
            warnings.warn(
                f"RemoteMonitor: {self.root!r} did not accept the metrics of epoch {epoch + 1}: {error}", stacklevel=2
            )

    def _request(self, values: dict[str, object]) -> urllib.request.Request:
        body = json.dumps(values)
        if not self.send_as_json:
            body = urllib.parse.urlencode({self.field: body})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind} | dict(self.headers or {})
        return urllib.request.Request(self.root + self.path, body.encode(), headers)


def _as_json(value: object) -> object:
    """Finite numbers as in JSON; None for others."""
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
