"""The browser of the tests of pages: one for all of them, one fresh page a test."""
import pytest

from tests.helpers.browser import started_browser, watched_page


@pytest.fixture(scope="session")
def browser():
    """playwright's Browser, started once; skips where there is none."""
    with started_browser() as started:
        yield started


@pytest.fixture
def page(browser):
    """A playwright Page whose `problems` must be empty at the end; see watched_page."""
    with watched_page(browser) as opened:
        yield opened
