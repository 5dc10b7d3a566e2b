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
