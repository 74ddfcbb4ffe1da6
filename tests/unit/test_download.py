"""A file is fetched once, goes on after a break, is checked, and what is wrong is said by name."""

import os
import stat
import threading

import pytest

from archive_data import checksum, serving, zipped
from stratavox.corpus import download
from stratavox.errors import StratavoxError

NAME = "calls.zip"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of one archive of some 600 kB."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    zipped(tmp_path / "site" / NAME, {"a.wav": os.urandom(600_000)})
    with serving(tmp_path / "site") as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache/archives/calls"


def content(server):
    return (server.folder / NAME).read_bytes()


def refused(file, cache) -> str:
    with pytest.raises(StratavoxError) as error:
        download.obtain(file, cache)
    return str(error.value)


def test_the_file_is_fetched_once_checked_and_protected(server, cache):
    receipt = download.obtain(server.file(NAME), cache)
    path = cache / NAME
    assert path.read_bytes() == content(server)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert receipt["path"] == str(path) and receipt["bytes"] == len(content(server))
    assert f"sha256:{receipt['sha256']}" == checksum(path) == server.file(NAME)["checksum"]
    assert download.obtain(server.file(NAME), cache) == receipt
    assert server.requests == [(NAME, None)]
    # nothing but the file and its lock is left
    assert sorted(p.name for p in cache.iterdir()) == [f".{NAME}.lock", NAME]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_either_kind_of_checksum_is_checked(server, cache, algorithm):
    right = checksum(server.folder / NAME, algorithm)
    assert download.obtain(server.file(NAME, checksum=right), cache)["verified"] == algorithm
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    message = refused(server.file(NAME, checksum=wrong), cache)
    assert right in message and wrong in message and NAME in message


def test_after_a_break_only_the_rest_is_requested(server, cache):
    server.cut = 250_000
    download.obtain(server.file(NAME), cache)
    assert (cache / NAME).read_bytes() == content(server)
    starts = [int(wanted[6:-1]) for _, wanted in server.requests if wanted]
    assert server.requests[0] == (NAME, None) and len(starts) == 2
    for start, cut in zip(starts, (250_000, 500_000), strict=True):
        assert cut - 2 * download.CHUNK < start <= cut


def test_a_later_run_goes_on_where_the_last_one_was_killed(server, cache, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    server.cut = 250_000
    whole, requests = server.ranges, server.requests
    server.ranges = False  # so that the first run cannot go on by itself
    assert "broke after" in refused(server.file(NAME), cache)
    had = (cache / f"{NAME}.part").stat().st_size
    assert 250_000 - download.CHUNK < had <= 250_000
    server.cut, server.ranges = None, whole
    del requests[:]
    download.obtain(server.file(NAME), cache)
    assert requests == [(NAME, f"bytes={had}-")]
    assert (cache / NAME).read_bytes() == content(server)


def test_what_changed_at_the_address_is_fetched_anew(server, cache, monkeypatch):
    """The part of an old file must not get the rest of a new one."""
    monkeypatch.setattr(download, "RETRIES", 0)
    server.cut, server.ranges = 250_000, False
    refused(server.file(NAME), cache)
    zipped(server.folder / NAME, {"a.wav": os.urandom(600_000)})
    server.cut, server.ranges = None, True
    download.obtain(server.file(NAME), cache)
    assert (cache / NAME).read_bytes() == content(server)


@pytest.mark.parametrize("switch", ["ranges", "etag"])
def test_without_ranges_or_proof_of_sameness_the_next_try_starts_anew(
    server, cache, monkeypatch, switch
):
    monkeypatch.setattr(download, "RETRIES", 0)
    setattr(server, switch, False)
    server.cut = 250_000
    refused(server.file(NAME), cache)
    server.cut = None
    download.obtain(server.file(NAME), cache)
    assert (cache / NAME).read_bytes() == content(server)


def test_a_part_that_is_whole_but_was_not_moved(server, cache, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    server.cut, server.ranges = 250_000, False
    refused(server.file(NAME), cache)
    server.cut, server.ranges = None, True
    (cache / f"{NAME}.part").write_bytes(content(server))
    download.obtain(server.file(NAME), cache)
    assert (cache / NAME).read_bytes() == content(server)


def test_a_damaged_part_is_fetched_again(server, cache, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    server.cut, server.ranges = 250_000, False
    refused(server.file(NAME), cache)
    server.cut, server.ranges = None, True
    (cache / f"{NAME}.part").write_bytes(b"0" * 250_000)
    download.obtain(server.file(NAME), cache)
    assert (cache / NAME).read_bytes() == content(server)


@pytest.mark.parametrize("known", [True, False])
def test_wrong_bytes_are_refused_at_once_and_not_kept(server, cache, known):
    server.serve[NAME] = b"<html>Please sign in</html>"
    file = server.file(NAME)
    reason = file["checksum"] if known else "no whole zip archive"
    file |= {"bytes": None} | ({} if known else {"checksum": None})
    message = refused(file, cache)
    assert reason in message and server.address(NAME) in message and "downloads.archives" in message
    assert len(server.requests) == 1
    assert not (cache / NAME).exists() and not (cache / f"{NAME}.part").exists()


def test_a_missing_address_is_reported_and_not_tried_again(server, cache):
    server.status = 404
    message = refused(server.file(NAME), cache)
    assert "404" in message and str(cache / NAME) in message and "run again" in message
    assert len(server.requests) == 1


def test_a_passing_failure_is_tried_again(server, cache, monkeypatch):
    server.status = 503

    def mend(seconds):
        server.status = None

    monkeypatch.setattr("pooch.core.time.sleep", mend)
    download.obtain(server.file(NAME), cache)
    assert len(server.requests) == 2


def test_a_lasting_failure_is_reported(server, cache):
    server.status = 503
    message = refused(server.file(NAME), cache)
    assert "answered 503" in message and str(cache / NAME) in message
    assert len(server.requests) == 1 + download.RETRIES


def test_without_a_network_the_message_says_which_file_to_put_where(server, cache):
    """Nothing listens at the address: name, place, checksum and source are all in the message."""
    file = server.file(NAME, address="http://127.0.0.1:9/calls.zip")
    message = refused(file, cache)
    for part in (file["address"], str(cache / NAME), file["checksum"], str(file["bytes"])):
        assert part in message
    assert "there is no network here" in message and "refused" in message and "0x" not in message


def test_the_environments_proxy_is_used(server, cache, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    file = server.file(NAME, address=f"http://archive.invalid/{NAME}")
    server.serve[f"http://archive.invalid/{NAME}"] = content(server)
    download.obtain(file, cache)
    assert server.requests == [(f"http://archive.invalid/{NAME}", None)]


def test_a_file_put_there_by_hand_is_checked_and_used(server, cache):
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(content(server))
    assert download.obtain(server.file(NAME), cache)["verified"] == "sha256"
    assert server.requests == []
    assert stat.S_IMODE((cache / NAME).stat().st_mode) == 0o444


@pytest.mark.parametrize("spoilt", ["bytes", "checksum"])
def test_a_wrong_file_put_there_by_hand_is_refused_and_left(server, cache, spoilt):
    cache.mkdir(parents=True)
    wrong = content(server)[:-1] + (b"" if spoilt == "bytes" else b"!")
    (cache / NAME).write_bytes(wrong)
    message = refused(server.file(NAME), cache)
    file = server.file(NAME)
    expected = [str(len(wrong)), str(file["bytes"])]
    if spoilt == "checksum":
        expected = [checksum(cache / NAME), file["checksum"]]
    for part in (str(cache / NAME), *expected):
        assert part in message
    assert (cache / NAME).read_bytes() == wrong and server.requests == []


@pytest.mark.parametrize(("size", "verified"), [(True, "size"), (False, "nothing")])
def test_without_a_published_checksum_that_is_written_down(server, cache, size, verified):
    file = server.file(NAME, checksum=None) | ({} if size else {"bytes": None})
    receipt = download.obtain(file, cache)
    assert receipt["verified"] == verified
    assert f"sha256:{receipt['sha256']}" == checksum(server.folder / NAME)


def test_two_runs_at_once_fetch_it_once(server, cache):
    """flock tells two openings of a file apart even within a process."""
    receipts, file = [], server.file(NAME)
    runs = [
        threading.Thread(target=lambda: receipts.append(download.obtain(file, cache)))
        for _ in range(4)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(receipts) == 4 and all(one == receipts[0] for one in receipts)
    assert len(server.requests) == 1
    assert (cache / NAME).read_bytes() == content(server)


def test_progress_prints_megabytes_rate_and_time_left(capsys, monkeypatch):
    clock = iter([0.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr("stratavox.progress.time.monotonic", lambda: next(clock, 40.0))
    progress = download.Transfer("calls.zip", 100_000_000, 20_000_000)
    progress.add(20_000_000)
    progress.add(60_000_000)
    progress.close()
    first, last = capsys.readouterr().err.splitlines()
    assert first == "calls.zip: 40.0/100.0 MB, 1.0 MB/s, 60 s left"
    assert last.startswith("calls.zip: 100.0/100.0 MB, 2.0 MB/s")


def test_the_cache_is_the_users_unless_configured(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert download.cache(None) == tmp_path / "mine/stratavox/archives"
    assert download.cache(str(tmp_path / "ours")) == tmp_path / "ours/archives"


def test_a_folder_that_cannot_be_written_is_reported(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    message = refused(server.file(NAME), tmp_path / "cache/archives/calls")
    assert "downloads.folder" in message and str(tmp_path / "cache") in message


def test_a_slow_second_run_waits(server, cache):
    """While one holds the lock, the other does not ask the server."""
    cache.mkdir(parents=True)
    run = threading.Thread(target=lambda: download.obtain(server.file(NAME), cache))
    with download._alone(cache / NAME):
        run.start()
        run.join(timeout=0.2)
        assert server.requests == []
    run.join()
    assert len(server.requests) == 1
