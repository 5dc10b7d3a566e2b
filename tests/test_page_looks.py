"""How the page of a graph looks in a browser: places, names, colours."""

import numpy as np
import pytest

import gradx as gx
from gradx.graph.svg import placed
from tests.browser import browser as browser
from tests.browser import op
from tests.browser import show as show
from tests.pictures import block_picture, layers_picture, lecture_picture
from tests.test_page import HOSTILE


@pytest.mark.parametrize("make", [lecture_picture, layers_picture, block_picture])
def test_things_stand_where_they_stand_in_the_svg(show, make):
    picture = make()
    layout = placed(picture.diagram)

    boxes = show(picture).evaluate("graph.boxes.map(({ x, y }) => [x, y])")

    # Numbers may be written shorter on the page, so that labels are narrower.
    np.testing.assert_allclose([x for x, _ in boxes], [item.x for item in layout.boxes], rtol=0.05)
    np.testing.assert_allclose([y for _, y in boxes], [item.y for item in layout.boxes], atol=0.1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is(show, name):
    x = gx.tensor(1.0, name=name)
    y = gx.exp(x)
    y.name = name

    page = show(gx.draw(y))
    op(page, "exp").hover()

    assert page.locator(".box.input .name").text_content() == name
    assert page.locator("img, script:not(#graph)").count() == 1
    assert page.locator("#card td").first.text_content() == f"1: {name}"


def colours(page):
    return page.evaluate(
        """["body", ".forward", ".gradient"].map(selector =>
             getComputedStyle(document.querySelector(selector)))
           .map(style => style.color).concat(getComputedStyle(document.body).backgroundColor)"""
    )


def test_light_and_dark_are_those_of_the_system(show):
    light = colours(show(lecture_picture(), color_scheme="light"))
    dark = colours(show(lecture_picture(), color_scheme="dark"))

    assert light == [
        "rgb(31, 35, 40)",
        "rgb(24, 117, 47)",
        "rgb(196, 18, 47)",
        "rgb(255, 255, 255)",
    ]
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_nothing_fades_where_motion_is_not_wanted(show):
    duration = "getComputedStyle(document.querySelector('.arrow text')).transitionDuration"

    assert show(lecture_picture()).evaluate(duration) == "0.2s"
    page = show(lecture_picture(), reduced_motion="reduce")
    assert page.evaluate(duration) == "0s"


def test_everything_that_can_be_used_has_a_name(show):
    page = show(layers_picture())

    nameless = page.evaluate(
        """Array.from(document.querySelectorAll("button, input, [tabindex], [role]"))
           .filter(one => !one.getAttribute("aria-label") && !one.textContent.trim()
                          && one.id !== "card").length"""
    )
    assert nameless == 0
    assert page.locator("html").get_attribute("lang") == "en"


def touch(session, kind, *places):
    """Send what a screen sends of fingers at ``places``."""
    points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_two_fingers_zoom_where_they_are(show):
    page = show(layers_picture(), **PHONE)
    before, top = page.evaluate("view"), page.locator("#stage").bounding_box()["y"]

    session = page.context.new_cdp_session(page)
    touch(session, "touchStart", (150, 400), (200, 400))
    touch(session, "touchMove", (125, 400), (225, 400))
    touch(session, "touchEnd")
    after = page.evaluate("view")

    assert after["scale"] == pytest.approx(2 * before["scale"], rel=1e-6)
    # What was between the fingers is there still.
    for axis, middle in [("x", 175), ("y", 400 - top)]:
        there = (middle - before[axis]) / before["scale"]
        assert there == pytest.approx((middle - after[axis]) / after["scale"], abs=1e-6)


def test_card_that_a_finger_opened_stays_until_the_next_touch(show):
    page = show(lecture_picture(), **PHONE)

    op(page, "multiply").tap()
    assert page.locator("#card").is_visible()

    page.touchscreen.tap(30, 700)
    assert not page.locator("#card").is_visible()


def test_slider_is_as_wide_as_a_phone(show):
    page = show(lecture_picture(), **PHONE)

    assert page.locator("#step").bounding_box()["width"] > 350


def report_page(browser, tmp_path, **options):
    history = gx.train.History(["epoch", "loss", "validation_accuracy"])
    for epoch, loss in enumerate([0.9, 0.4], start=1):
        history.add({"epoch": epoch, "loss": loss, "validation_accuracy": 1 - loss})
    history.report(tmp_path / "run.html", confusion=np.asarray([[5, 1], [0, 4]]))
    page = browser.new_page(**options)
    page.goto((tmp_path / "run.html").as_uri())
    return page


def test_report_fits_a_phone_and_charts_are_told_in_words(browser, tmp_path):
    page = report_page(browser, tmp_path, **PHONE)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.get_by_role("img", name="loss from 0.9 to 0.4, in 2 epochs").count() == 1
    page.close()


def test_report_is_dark_where_the_system_is(browser, tmp_path):
    page = report_page(browser, tmp_path, color_scheme="dark")
    light = "element => getComputedStyle(element).{}.match(/\\d+/g).slice(0, 3).every(v => v > 120)"

    assert not page.locator("html").evaluate(light.format("backgroundColor"))
    assert not page.locator("section").first.evaluate(light.format("backgroundColor"))
    assert page.locator("h1").evaluate(light.format("color"))
    assert page.locator(".charts text").first.evaluate(light.format("fill"))
    page.close()
