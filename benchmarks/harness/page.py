"""The live page in a headless Chromium, fed with rows that change: how much of a processor it takes.

The rows come from here and not from a program that plays: that would be busy itself with so many
changes, and tells of them four times a second at the most.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from playwright.sync_api import CDPSession, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.case import given_size, report
from orchestra.web.site.pages import Pages

SECONDS = 5
GROUP = 20  # players in each group
FAILING = 10  # one of so many fails, in turns
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

# Draws a picture as often as the screen would, and notes how long each has taken.
FRAMES = """([milliseconds, scrolls]) => new Promise((done) => {
    const found = [];
    const end = performance.now() + milliseconds;
    let last = performance.now();
    const draw = (now) => {
        found.push(now - last);
        last = now;
        if (scrolls) document.getElementById("grid").scrollTop += 97;
        if (now < end) requestAnimationFrame(draw); else done(found);
    };
    requestAnimationFrame(draw);
})"""
LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) longTasks.push(entry.duration);
    }).observe({ entryTypes: ["longtask"] });
"""


def main(*, rate: float, scrolls: bool = False) -> None:
    """Look at so many players for some seconds; reports the share of a processor."""
    size = given_size(2_000)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ModuleNotFoundError("chromium, from scripts/system-packages")
    with served(Feed(size, rate)) as url, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.add_init_script(LONG_TASKS)
        page.goto(url)
        page.locator(".rows .row").first.wait_for()
        page.wait_for_timeout(1_000)
        measure(page, scrolls)
        browser.close()


def measure(page: Page, scrolls: bool) -> None:
    """Look for some seconds, and report."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate("longTasks.length = 0")
    before = metrics(session)
    frames = sorted(page.evaluate(FRAMES, [SECONDS * 1000, scrolls]))
    after = metrics(session)
    tasks = page.evaluate("longTasks")
    taken = after["Timestamp"] - before["Timestamp"]

    def share(name: str) -> float:
        return (after[name] - before[name]) / taken

    report(
        share("ThreadTime"),
        process_share=share("ProcessTime"),
        script_share=share("ScriptDuration"),
        layout_and_style_share=share("LayoutDuration") + share("RecalcStyleDuration"),
        long_tasks=len(tasks),
        longest_task_ms=max(tasks, default=0),
        median_frame_ms=frames[len(frames) // 2],
        late_frame_ms=frames[int(len(frames) * 0.99)],
        elements=page.evaluate("document.querySelectorAll('*').length"),
    )


def metrics(session: CDPSession) -> dict[str, float]:
    """What the browser counts."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


class Feed:
    """Answers as a program with so many players does, which all change so often a second."""

    def __init__(self, size: int, rate: float) -> None:
        self._rate = rate
        self._began = time.time()
        names = [f"group{number // GROUP}.worker{number}" for number in range(size)]
        groups = dict.fromkeys(name.partition(".")[0] for name in names)
        everybody = [self._row("", "group", 0), *(self._row(one, "group", 0) for one in groups)]
        everybody += [self._row(name, "coroutine", 0) for name in names]
        self._first = self._message(json.dumps(everybody), whole=True)
        # Made once, so that the time to make them is not in the way.
        self._changes = [
            json.dumps([self._row(name, "coroutine", turn, at) for at, name in enumerate(names)])
            for turn in range(1, 5)
        ]

    def _row(self, path: str, kind: str, turn: int, at: int = 0) -> dict[str, Any]:
        group, _, name = path.rpartition(".")
        bad = kind != "group" and at % FAILING == 0 and turn % 2 == 1
        return {
            "path": path,
            "parent": group if path else None,
            "name": name,
            "kind": kind,
            "state": "backing off" if bad else "ready",
            "ready": not bad,
            "since": self._began,
            "uptime": None if bad else 12.0,
            "restarts": turn,
            "next_restart_in": 5.0 if bad else None,
            "error": "ValueError: boom" if bad else None,
            "details": {},
            "last_line": f"line {turn} of {name}",
            "cpu": None,
            "memory": None,
            "waits_for": [],
            "copies": None,
        }

    def _message(self, rows: str, *, whole: bool = False) -> str:
        kind = "true" if whole else "false"
        data = f'{{"version":1,"time":{time.time()},"all":{kind},"players":{rows},"gone":[]}}'
        return f"event: players\ndata: {data}\n\n"

    async def stream(self, request: Request) -> Response:
        """The changes; of lines there are none."""
        wanted = request.query_params.get("players") != "false"
        return StreamingResponse(self._told(wanted), media_type="text/event-stream")

    async def _told(self, wanted: bool) -> AsyncIterator[str]:
        yield self._first if wanted else ":\n\n"
        turn = 0
        while True:
            if not (wanted and self._rate):
                await asyncio.sleep(2)
                yield ":\n\n"
                continue
            await asyncio.sleep(1 / self._rate)
            turn += 1
            yield self._message(self._changes[turn % len(self._changes)])

    async def program(self, request: Request) -> Response:
        """What plays."""
        about = {"name": "many", "pid": 1, "started": self._began, "read_only": False}
        return JSONResponse({"version": 1, **about, "memory": None, "file": None})

    async def lines(self, request: Request) -> Response:
        """None."""
        return JSONResponse({"version": 1, "time": time.time(), "resume": "a-0", "lines": []})


@contextmanager
def served(feed: Feed) -> Iterator[str]:
    """The page and what feeds it, in a thread; its address."""
    pages = Pages()
    routes = [
        Route("/", pages.index),
        Route("/static/{name:path}", pages.file),
        Route("/api/stream", feed.stream),
        Route("/api/program", feed.program),
        Route("/api/lines", feed.lines),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical")
    config.timeout_graceful_shutdown = 1
    socket = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
