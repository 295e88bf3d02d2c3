"""A real Chromium for the tests of pages, watched: errors, and requests that leave the machine."""
import contextlib
import os
import shutil
import sys

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL in software, the same on every machine; sound starts without a click.
FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
         "--autoplay-policy=no-user-gesture-required")
LOCAL_SCHEMES = ("file:", "data:", "blob:", "about:")


@contextlib.contextmanager
def started_browser():
    """A headless Chromium as playwright's Browser. Skips the test where one cannot be had."""
    if sys.version_info < (3, 8):
        pytest.skip("playwright needs Python 3.8 or newer")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    paths = [path for path in map(shutil.which, CHROMIUM_NAMES) if path]
    if not paths:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    flags = list(FLAGS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")                    # Chromium's sandbox refuses root
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=paths[0], args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watched_page(browser, width=900, height=600, server=None, **context_options):
    """A new playwright Page with nothing shared; its `problems` is a list of lines.

    server: "127.0.0.1:8767", the only one that the page may reach; None: it is offline.

    A console error, an exception nobody caught and a request beyond this machine each add a
    line to page.problems. At the end that list must be empty: a test that provokes an error
    looks at the line and clears the list.
    """
    own = LOCAL_SCHEMES
    if server is not None:
        own += ("http://%s/" % server, "ws://%s/" % server)
    context = browser.new_context(viewport={"width": width, "height": height},
                                  offline=server is None, **context_options)
    try:
        page = context.new_page()
        page.set_default_timeout(20000)
        page.problems = []
        page.on("console", lambda message: page.problems.append("console: " + message.text)
                if message.type == "error" else None)
        page.on("pageerror", lambda error: page.problems.append("exception: %s" % error))
        page.on("request", lambda request: page.problems.append("request: " + request.url)
                if not request.url.startswith(own) else None)
        page.on("websocket", lambda socket: page.problems.append("socket: " + socket.url)
                if not socket.url.startswith(own) else None)
        yield page
        assert page.problems == []
    finally:
        context.close()
