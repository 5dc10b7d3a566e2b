"""Pages of graphs in a browser, for the tests. Takes Chromium and playwright."""

import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
if CHROMIUM is None:
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open pictures in a window; afterwards nothing was complained of."""
    problems, pages = [], []

    def show(picture, **options):
        picture.save(tmp_path / "graph.html")
        options = {"viewport": {"width": 1400, "height": 800}, **options}
        page = browser.new_page(**options)
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("request", lambda request: problems.append(request.url) if pages_of(request) else 0)
        page.goto((tmp_path / "graph.html").as_uri())
        return page

    def pages_of(request):
        return not request.url.startswith("file:") or not request.url.endswith("graph.html")

    yield show
    for page in pages:
        page.close()
    assert problems == []


def card(page):
    """Return the lines of the card that is shown, cells of a row joined."""
    element = page.locator("#card")
    rows = element.locator("tr").evaluate_all(
        """rows => rows.slice(1).map(row =>
             Array.from(row.cells, cell => cell.textContent).join(" "))"""
    )
    return element.locator("h2").inner_text(), element.locator("dl").inner_text().split("\n"), rows


def op(page, name, number=0):
    return page.locator(f".box.op[aria-label^='{name}:']").nth(number)
