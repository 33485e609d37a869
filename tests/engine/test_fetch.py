"""Files from a server of this machine that can be made to fail."""

from __future__ import annotations

import errno
import hashlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from mtlbox.engine.fetch import WrongContentError, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA = f'sha256:{hashlib.sha256(CONTENT).hexdigest()}'


class Server(http.server.ThreadingHTTPServer):
    """Sends ``content``; ``cuts`` are the bytes after which each of the next connections ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.content, self.tag, self.ranges, self.status = CONTENT, '"one"', True, 200
        self.cuts: list[int] = []
        self.asked: list[str | None] = []
        self.sent, self.slow = 0, 0.0

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client went away

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_port}/file.bin'


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server, begin, wanted = self.server, 0, self.headers.get('Range')
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        if wanted and server.ranges and self.headers.get('If-Range') in (None, server.tag):
            begin = int(re.fullmatch(r'bytes=(\d+)-', wanted)[1])  # type: ignore[index]
            if begin >= len(server.content):
                self.send_response(416)
                self.send_header('Content-Range', f'bytes */{len(server.content)}')
                self.end_headers()
                return
        self.send_response(206 if begin else 200)
        if server.tag:
            self.send_header('ETag', server.tag)
        self.send_header('Content-Length', str(len(server.content) - begin))
        self.end_headers()
        end = begin + server.cuts.pop(0) if server.cuts else len(server.content)
        for at in range(begin, min(end, len(server.content)), 10_000):
            block = server.content[at : min(at + 10_000, end)]
            server.sent += len(block)
            self.wfile.write(block)
            time.sleep(server.slow)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def get(server: Server, folder: Path, **options: Any) -> bytes:
    path = fetch(server.url, folder / 'file.bin', quiet=True, pause=0, **options)
    assert sorted(os.listdir(folder)) == ['file.bin']
    return path.read_bytes()


def test_fetches_once(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path, size=len(CONTENT), digest=SHA) == CONTENT
    assert get(server, tmp_path) == CONTENT and server.asked == [None]


def test_cuts_are_resumed_at_once(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert get(server, tmp_path, digest=SHA) == CONTENT
    assert server.asked == [None, 'bytes=100000-', 'bytes=150000-'] and server.sent == len(CONTENT)


def test_the_next_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.cuts = [120_000] + [0] * 9
    with pytest.raises(URLError, match=r'file\.bin: the connection was cut'):
        get(server, tmp_path)
    assert (tmp_path / 'file.bin.part').stat().st_size == 120_000 and not (tmp_path / 'file.bin').exists()
    server.cuts.clear()
    assert get(server, tmp_path) == CONTENT and server.sent == len(CONTENT)


@pytest.mark.slow
def test_a_killed_process_loses_nothing(server: Server, tmp_path: Path) -> None:
    server.slow = 0.02
    program = (
        f'from mtlbox.engine.fetch import fetch; fetch({server.url!r}, {str(tmp_path / "file.bin")!r}, quiet=True)'
    )
    running = subprocess.Popen([sys.executable, '-c', program])
    part = tmp_path / 'file.bin.part'
    while running.poll() is None and not (part.is_file() and part.stat().st_size > 50_000):
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -9
    have, server.slow = part.stat().st_size, 0
    assert get(server, tmp_path, digest=SHA) == CONTENT and server.asked == [None, f'bytes={have}-']


def test_a_file_that_has_changed_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.cuts = [120_000] + [0] * 9
    with pytest.raises(URLError):
        get(server, tmp_path)
    server.cuts.clear()
    server.content, server.tag = CONTENT[::-1], '"two"'
    assert get(server, tmp_path) == CONTENT[::-1]


@pytest.mark.parametrize('lacking', ['ranges', 'tag', 'end'])
def test_servers_that_cannot_resume(server: Server, tmp_path: Path, lacking: str) -> None:
    if lacking == 'ranges':
        server.ranges = False
    elif lacking == 'tag':
        server.tag = ''
    server.cuts = [120_000] if lacking != 'end' else []
    if lacking == 'end':  # everything had come, but it was not renamed
        (tmp_path / 'file.bin.part').write_bytes(CONTENT)
    assert get(server, tmp_path, digest='' if lacking == 'tag' else SHA) == CONTENT


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'digest': 'sha256:00ff'}, r'has the sha256 [0-9a-f]{64}, but 00ff is expected'),
        ({'digest': 'md5:00ff'}, r'has the md5 [0-9a-f]{32}, but 00ff is expected'),
        ({'size': 7}, 'has 300000 bytes, but 7 are expected'),
    ],
)
def test_wrong_content_is_kept_aside(server: Server, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongContentError, match=rf'{said}\. What came is kept as .*file\.bin\.wrong'):
        get(server, tmp_path, **options)
    assert os.listdir(tmp_path) == ['file.bin.wrong']
    server.content = CONTENT[:7]
    if 'size' in options:
        fetch(server.url, tmp_path / 'file.bin', quiet=True, **options)


@pytest.mark.parametrize(('status', 'said'), [(404, 'Not Found'), (503, 'Service Unavailable')])
def test_a_refusal_is_not_repeated(server: Server, tmp_path: Path, status: int, said: str) -> None:
    server.status = status
    with pytest.raises(URLError, match=rf'file\.bin: {said}'):
        get(server, tmp_path)
    assert len(server.asked) == 1


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no device that is always full')
def test_a_disk_that_fills_up(server: Server, tmp_path: Path) -> None:
    (tmp_path / 'file.bin.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r'The disk is full; what has come of http.* is kept') as caught:
        get(server, tmp_path)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename.endswith('file.bin.part')


def test_a_disk_that_is_too_small(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.cuts = [100_000] + [0] * 9
    with pytest.raises(URLError):
        get(server, tmp_path)
    usage = type('Usage', (), {'free': 150_000})
    monkeypatch.setattr('mtlbox.engine.fetch.shutil.disk_usage', lambda path: usage)
    server.cuts.clear()
    sent = server.sent
    with pytest.raises(OSError, match='The disk is full'):
        get(server, tmp_path)
    assert (tmp_path / 'file.bin.part').stat().st_size == 100_000 and server.sent - sent <= len(CONTENT)
    usage.free = 200_000  # type: ignore[attr-defined]
    assert get(server, tmp_path, digest=SHA) == CONTENT


def test_two_at_once_fetch_one_file(server: Server, tmp_path: Path) -> None:
    server.slow, errors = 0.01, []

    def one() -> None:
        try:
            fetch(server.url, tmp_path / 'file.bin', quiet=True, digest=SHA)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and server.asked == [None] and get(server, tmp_path) == CONTENT
