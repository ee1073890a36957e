"""Files from the internet: downloaded once, checked, resumed, and never half there. The server here is a local one."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import pytest

import cornu
from cornu.utils import download
from tests.behaviour.local_server import Server

CONTENT = bytes(range(256)) * 4096  # 1 MiB
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)
    server = Server()
    server.files["/data.bin"] = CONTENT
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "datasets"


def get(server, name="data.bin", **given) -> str:
    return cornu.utils.get_file(name, server.address(name), **given)


def test_a_file_lands_in_keras_folder_and_is_downloaded_once(server, folder):
    first = get(server, file_hash=HASH)
    second = get(server, file_hash=HASH)
    assert first == second == str(folder / "data.bin")
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert len(server.requests) == 1
    get(server, force_download=True)
    assert len(server.requests) == 2


def test_the_name_comes_from_the_address(server, folder):
    assert cornu.utils.get_file(origin=server.address("data.bin")) == str(folder / "data.bin")
    with pytest.raises(ValueError, match="not end in a file name"):
        cornu.utils.get_file(origin=server.address(""))


def test_a_file_that_is_there_but_wrong_is_fetched_anew(server, folder):
    folder.mkdir(parents=True)
    (folder / "data.bin").write_bytes(b"something else")
    with pytest.warns(UserWarning, match="does not have the hash"):
        get(server, file_hash=HASH)
    assert (folder / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["drop", 500, 503, 429])
def test_a_broken_connection_is_tried_again(server, folder, fault):
    server.faults = [fault, fault]
    get(server, file_hash=HASH)
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_what_arrived_is_not_fetched_again(server, folder):
    server.faults = ["drop"]
    get(server, file_hash=HASH)
    assert [r for _, r in server.requests] == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_server_that_hangs_is_left(server, folder, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    server.faults = ["silent", "hang"]
    started = time.monotonic()
    get(server, file_hash=HASH)
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert time.monotonic() - started < 15
    assert len(server.requests) == 3


def test_giving_up_says_what_to_do_and_leaves_nothing_wrong(server, folder):
    server.faults = [500] * download.ATTEMPTS
    with pytest.raises(OSError, match=r"download the file on another machine and put it at .*data\.bin"):
        get(server)
    assert len(server.requests) == download.ATTEMPTS
    assert not (folder / "data.bin").exists()


def test_a_missing_file_is_not_tried_again(server, folder):
    with pytest.raises(OSError, match="404"):
        get(server, "absent.bin")
    assert len(server.requests) == 1


def test_no_network(folder, monkeypatch):
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)
    unused = Server()
    address = unused.address("data.bin")
    unused.close()
    with pytest.raises(OSError, match="Without a network"):
        cornu.utils.get_file("data.bin", address)


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 32])
def test_a_wrong_hash_is_refused(server, folder, digest):
    with pytest.raises(ValueError, match="is not the expected file"):
        get(server, file_hash=digest)
    assert not (folder / "data.bin").exists()
    get(server, file_hash=HASH)


def test_hashes_of_both_kinds(server, folder):
    get(server, file_hash=hashlib.md5(CONTENT).hexdigest().upper())
    get(server, md5_hash=hashlib.md5(CONTENT).hexdigest(), hash_algorithm="md5")
    with pytest.raises(ValueError, match="32 digits"):
        get(server, file_hash="123")
    with pytest.raises(ValueError, match="hash_algorithm"):
        get(server, file_hash=HASH, hash_algorithm="crc")


def test_the_next_call_goes_on_where_a_failed_one_ended(server, folder):
    server.faults = ["drop"] + [500] * download.ATTEMPTS
    with pytest.raises(OSError):
        get(server, file_hash=HASH)
    server.requests.clear()
    server.faults.clear()
    get(server, file_hash=HASH)
    assert server.requests == [("/data.bin", f"bytes={len(CONTENT) // 2}-")]
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert set(os.listdir(folder)) == {".data.bin.lock", "data.bin"}


def test_a_file_that_changed_meanwhile_is_fetched_whole(server, folder):
    server.faults = ["drop"] + [500] * download.ATTEMPTS
    with pytest.raises(OSError):
        get(server)
    server.faults.clear()
    server.files["/data.bin"] = CONTENT[::-1]
    get(server)
    assert (folder / "data.bin").read_bytes() == CONTENT[::-1]


def test_a_server_that_cannot_resume_sends_all_again(server, folder):
    server.ranges = False
    server.faults = ["drop"]
    get(server, file_hash=HASH)
    assert (folder / "data.bin").read_bytes() == CONTENT


def test_leftovers_of_another_file_are_noticed_by_the_hash(server, folder):
    folder.mkdir(parents=True)
    (folder / ".data.bin.part").write_bytes(b"x" * 100)
    get(server, file_hash=HASH)
    assert (folder / "data.bin").read_bytes() == CONTENT


def test_leftovers_longer_than_the_file_are_dropped(server, folder):
    folder.mkdir(parents=True)
    (folder / ".data.bin.part").write_bytes(b"x" * (len(CONTENT) + 1))
    get(server)
    assert (folder / "data.bin").read_bytes() == CONTENT


def test_a_killed_process_leaves_a_download_that_goes_on(server, folder):
    server.faults = ["hang"]
    code = f"from cornu.utils import get_file; get_file('data.bin', {server.address('data.bin')!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part, deadline = folder / ".data.bin.part", time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == len(CONTENT) // 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    server.requests.clear()
    get(server, file_hash=HASH)  # the dead process holds no lock
    assert server.requests == [("/data.bin", f"bytes={len(CONTENT) // 2}-")]
    assert (folder / "data.bin").read_bytes() == CONTENT


def test_two_at_once_download_once(server, folder, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    server.faults = ["hang"]
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(get(server, file_hash=HASH))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [str(folder / "data.bin")] * 3
    assert len(server.requests) == 2  # the one that hung, and the one that went on


def test_progress_is_shown_and_can_be_switched_off(server, folder, capsys):
    get(server)
    assert server.address("data.bin") in capsys.readouterr().out
    cornu.utils.disable_interactive_logging()
    try:
        get(server, force_download=True)
    finally:
        cornu.utils.enable_interactive_logging()
    assert not capsys.readouterr().out


# ---------------------------------------------------------------- archives


def tar_file(*members: tarfile.TarInfo, content: bytes = b"hello", mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zip_file(*names: str, content: bytes = b"hello") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


FLOWERS, CATS = tar_file(tar_member("folder/one.txt")), zip_file("folder/one.txt")


@pytest.mark.parametrize(
    ("fname", "address", "content", "given", "archive", "unpacked"),
    [
        (None, "a.tar.gz", FLOWERS, {"extract": True}, "a.tar.gz_archive", "a.tar.gz"),
        ("flowers", "a.tgz", FLOWERS, {"untar": True}, "flowers_archive", "flowers"),
        ("a.tar", "a.tar", tar_file(tar_member("folder/one.txt"), mode="w"), {"untar": True}, "a.tar", "a_extracted"),
        ("a.v1.zip", "a.zip", CATS, {"extract": True, "archive_format": "zip"}, "a.v1.zip", "a_extracted"),
    ],
)
def test_an_archive_and_its_folder_are_where_keras_has_them(
    server, folder, fname, address, content, given, archive, unpacked
):
    server.files[f"/{address}"] = content
    for _ in range(2):
        assert cornu.utils.get_file(fname, server.address(address), **given) == str(folder / unpacked)
    assert len(server.requests) == 1
    assert {path.name for path in folder.iterdir()} == {archive, unpacked, f".{archive}.lock"}
    assert (folder / unpacked / "folder" / "one.txt").read_bytes() == b"hello"


HOSTILE = {
    "up.tar.gz": tar_file(tar_member("../escaped")),
    "absolute.tar.gz": tar_file(tar_member("/tmp/cornu-escaped")),
    "symbolic.tar.gz": tar_file(tar_member("link", tarfile.SYMTYPE, "/etc")),
    "hard.tar.gz": tar_file(tar_member("link", tarfile.LNKTYPE, "/etc/passwd")),
    "device.tar.gz": tar_file(tar_member("null", tarfile.CHRTYPE)),
    "up.zip": zip_file("a/../../escaped"),
    "absolute.zip": zip_file("/tmp/cornu-escaped"),
    "backslash.zip": zip_file("..\\escaped"),
    "drive.zip": zip_file("C:/escaped"),
    "none.zip": b"no archive at all",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_writes_nothing_outside_its_folder(server, folder, name):
    server.files[f"/{name}"] = HOSTILE[name]
    with pytest.raises(ValueError, match=r"not allowed|outside|is not an archive"):
        get(server, name, extract=True)
    assert {p.name for p in folder.iterdir()} == {name, f".{name}.lock"}
    assert not (folder.parent / "escaped").exists()


def test_an_archive_may_not_claim_more_than_its_bytes_hold(server, folder):
    content = bytearray(zip_file("big"))
    place = content.index(b"PK\x01\x02") + 24  # the size of the first member, in the archive's list
    content[place : place + 4] = (2**31).to_bytes(4, "little")
    server.files["/bomb.zip"] = bytes(content)
    with pytest.raises(ValueError, match="claims to contain more"):
        get(server, "bomb.zip", extract=True)
