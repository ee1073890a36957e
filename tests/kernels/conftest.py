"""Tests of the kernels choose the form themselves, also where `CORNU_KERNELS=plain` forces the plain one elsewhere."""

import pytest


@pytest.fixture(autouse=True)
def forms_are_free(monkeypatch):
    monkeypatch.delenv("CORNU_KERNELS", raising=False)
