"""The page of a graph in a browser: hover, steps, folding, keys. Takes Chromium and playwright."""

import re
from datetime import datetime

import gradx as gx
from tests.browser import browser as browser
from tests.browser import card, op
from tests.browser import show as show
from tests.pictures import (
    block_picture,
    large_picture,
    layers_picture,
    lecture_picture,
)

# Hover


def test_hovering_over_an_op_shows_upstream_local_and_downstream(show):
    page = show(lecture_picture())
    assert not page.locator("#card").is_visible()

    op(page, "multiply").hover()

    assert card(page) == (
        "multiply",
        ["output f", "-12", "upstream gradient", "1"],
        ["1: q 3 1 × -4 = -4", "2: z -4 1 × 3 = 3"],
    )
    op(page, "add").hover()
    assert card(page)[2] == ["1: x -2 -4 × 1 = -4", "2: y 5 -4 × 1 = -4"]
    page.mouse.move(5, 5)
    assert not page.locator("#card").is_visible()


def test_the_tab_key_shows_the_same_card(show):
    page = show(lecture_picture())

    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate(
            "document.activeElement.getAttribute('aria-label')?.startsWith('multiply')"
        ):
            break

    assert card(page)[2] == ["1: q 3 1 × -4 = -4", "2: z -4 1 × 3 = 3"]
    page.keyboard.press("Escape")
    assert not page.locator("#card").is_visible()


def test_an_input_shows_its_value_and_its_gradient(show):
    page = show(gx.draw(lambda x: x * x, 3.0))

    page.locator(".box.input").hover()

    assert card(page)[1] == ["value", "3", "gradient, the sum over 2 uses", "6"]


def test_large_arrays_have_histograms(show):
    page = show(layers_picture())

    op(page, "matmul").hover()

    # Value and downstream of both inputs, output and upstream; a linear map has no factor.
    assert page.locator("#card svg.bars").count() == 6
    assert page.locator("#card svg.bars").first.locator("rect").count() == 12
    assert [row.count("a linear map") for row in card(page)[2]] == [1, 1]


def test_the_card_does_not_hide_what_it_is_about(show):
    page = show(lecture_picture())

    op(page, "multiply").hover()

    box = page.locator("#card").bounding_box()
    for text in page.locator(".touched text").all():
        other = text.bounding_box()
        assert (
            other["x"] + other["width"] <= box["x"] or box["x"] + box["width"] <= other["x"]
            or other["y"] + other["height"] <= box["y"] or box["y"] + box["height"] <= other["y"]
        )  # fmt: skip


# Steps


def seen(page):
    """Return the numbers that are seen above and below each arrow, in the order of arrows."""
    return page.locator(".arrow").evaluate_all(
        """arrows => arrows.map(arrow => ["forward", "gradient"].map(pass =>
             Array.from(arrow.querySelectorAll(`text.${pass}`))
               .filter(text => text.classList.contains("shown"))
               .map(text => text.textContent).join("; ")))"""
    )


def test_the_slider_shows_the_lecture_step_by_step(show):
    page = show(lecture_picture())
    # Into +: x, y. Into ×: q, z. Then f. And back: each op gives its inputs their gradients.
    forward = ["-2", "5", "q = 3", "-4", "-12"]
    gradient = ["-4", "-4", "-4", "3", "1"]
    back = [4, 2, 3, 0, 1]

    for step in range(11):
        page.locator("#step").fill(str(step))

        done = back[: max(step - 5, 0)]
        assert seen(page) == [
            [forward[i] if i < step else "", gradient[i] if i in done else ""] for i in range(5)
        ]


def now(page):
    return page.locator(".now-forward, .now-gradient").count()


def test_the_step_just_made_stands_out_and_is_told(show):
    page = show(lecture_picture())
    caption = page.locator("#caption")

    told = []
    for step in range(1, 10):
        page.locator("#step").fill(str(step))
        told.append(caption.inner_text())
        assert now(page) == 1

    assert told == [
        "forward: x = -2 goes into +",
        "forward: y = 5 goes into +",
        "forward: q = 3 goes into ×",
        "forward: z = -4 goes into ×",
        "forward: f = -12",
        "backward: begins with 1, the gradient of f itself",
        "backward: from × to q: upstream 1 × local -4 = downstream -4",
        "backward: from × to z: upstream 1 × local 3 = downstream 3",
        "backward: from + to x: upstream -4 × local 1 = downstream -4",
    ]
    page.locator("#step").fill("10")
    assert now(page) == 0


def test_every_step_of_a_model_shows_one_number_more_and_none_too_early(show):
    picture = layers_picture()
    page = show(picture)
    arrows = picture.diagram.arrows
    computed, known, steps = set(), set(), 2 * len(arrows)
    before = [["", ""]] * len(arrows)

    for step in range(steps + 1):
        page.locator("#step").fill(str(step))
        after = seen(page)
        new = [i for i, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
        assert len(new) == (step > 0)
        for i in new:
            source, target = arrows[i].source, arrows[i].target
            if step <= len(arrows):
                # All inputs of the op that computed it were seen before.
                assert {j for j, a in enumerate(arrows) if a.target == source} <= computed
                computed.add(i)
            else:
                # And on the way back, all that its upstream gradient is the sum of.
                assert {j for j, a in enumerate(arrows) if a.source == target} <= known
                known.add(i)
        before = after

    assert all(forward and gradient for forward, gradient in before)


def test_the_sum_of_several_uses_appears_with_the_last_of_them(show):
    page = show(gx.draw(lambda x: x * x, 3.0))
    total = page.locator(".box.input .gradient")

    shown = []
    for step in range(7):
        page.locator("#step").fill(str(step))
        shown.append("shown" in total.get_attribute("class"))

    assert total.text_content() == "total 6"
    assert shown == [False] * 6 + [True]


def count(page):
    return page.locator("#count").inner_text()


def test_keys_and_buttons_make_steps(show):
    page = show(lecture_picture())
    assert count(page) == "10 / 10"

    for action, expected in [
        (lambda: page.keyboard.press("Home"), "0 / 10"),
        (lambda: page.keyboard.press("ArrowRight"), "1 / 10"),
        (lambda: page.click("#next"), "2 / 10"),
        (lambda: page.keyboard.press("ArrowRight"), "3 / 10"),
        (lambda: page.keyboard.press("ArrowLeft"), "2 / 10"),
        (lambda: page.click("#back"), "1 / 10"),
        (lambda: page.keyboard.press("End"), "10 / 10"),
        (lambda: page.keyboard.press("ArrowRight"), "10 / 10"),
        (lambda: page.click("#first"), "0 / 10"),
        (lambda: page.keyboard.press("ArrowLeft"), "0 / 10"),
    ]:
        action()
        assert count(page) == expected


def test_playing_goes_through_all_steps_and_stops(browser):
    page = browser.new_page()
    page.clock.install(time=datetime(2026, 1, 1))
    page.set_content(lecture_picture().to_html())
    page.clock.pause_at(datetime(2026, 1, 2))  # From here time passes when told to.
    play = page.locator("#play")

    play.click()
    assert (count(page), play.get_attribute("aria-label")) == ("0 / 10", "pause")
    page.clock.run_for(2000)
    assert count(page) == "2 / 10"
    page.keyboard.press("Escape")
    play.click()
    page.clock.run_for(5000)
    assert (count(page), play.get_attribute("aria-label")) == ("2 / 10", "play")
    play.click()
    page.clock.run_for(20_000)
    assert (count(page), play.get_attribute("aria-label")) == ("10 / 10", "play")
    page.close()


# Folding


def names(page):
    return page.locator(".box .name").all_text_contents()


def frame(page, path):
    return page.locator(f".frame[aria-label='module {path}']")


def test_a_click_folds_a_module_and_another_one_unfolds_it(show):
    page = show(layers_picture())
    before = names(page)
    arrows = page.locator(".arrow").count()
    layer = frame(page, "model.layers[2]")
    assert layer.get_attribute("aria-expanded") == "true"

    layer.locator("text").click()

    assert layer.get_attribute("aria-expanded") == "false"
    assert len(names(page)) == len(before) - 4
    assert page.locator(".arrow").count() == arrows - 3
    assert count(page) == f"{2 * arrows - 6} / {2 * arrows - 6}"
    layer.click()
    assert names(page) == before
    assert page.locator(".arrow").count() == arrows


def test_keys_fold_too_and_keep_the_focus(show):
    page = show(layers_picture())

    frame(page, "model.layers[0]").focus()
    page.keyboard.press("Enter")

    assert frame(page, "model.layers[0]").get_attribute("aria-expanded") == "false"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "module model.layers[0]"
    )
    page.keyboard.press(" ")
    assert frame(page, "model.layers[0]").get_attribute("aria-expanded") == "true"


def test_a_folded_module_takes_a_value_once_and_brings_back_the_sum(show):
    picture = block_picture()
    page = show(picture)

    page.click("#fold")

    (x,) = [box for box in picture.diagram.boxes if box.name == "x"]
    assert names(page) == ["x", "xʸ", "Σ", "total"]
    assert seen(page)[0] == [
        "; ".join([*x.value.shape, *lines_of(x.value)]), "; ".join(lines_of(x.gradient))
    ]  # fmt: skip
    assert page.locator(".arrow").count() == 4
    page.click("#fold")
    assert len(names(page)) == len(picture.diagram.boxes)


def lines_of(summary):
    """Return what the page writes: numbers of two digits, small ones without a leading zero."""
    return [re.sub(r"e([+-])0(\d)", r"e\1\2", line).replace("e+", "e+") for line in summary.lines]


def test_folding_keeps_the_step(show):
    page = show(layers_picture())
    page.locator("#step").fill("5")
    shown = sum(forward != "" for forward, _ in seen(page))
    assert shown == 5

    frame(page, "model.layers[0]").locator("text").click()
    assert [bool(forward) for forward, _ in seen(page)][:3] == [True, True, False]
    frame(page, "model.layers[0]").click()

    assert sum(forward != "" for forward, _ in seen(page)) == shown


def test_a_drag_moves_the_picture_and_folds_nothing(show):
    page = show(layers_picture())
    before = page.locator("#scene").get_attribute("transform")

    frame(page, "model").locator("text").hover()
    page.mouse.down()
    page.mouse.move(500, 500, steps=4)
    page.mouse.up()

    assert page.locator("#scene").get_attribute("transform") != before
    assert frame(page, "model").get_attribute("aria-expanded") == "true"


def test_wheel_and_buttons_zoom_and_fit_shows_all(show):
    page = show(layers_picture())
    scale = lambda: float(
        re.search(r"scale\((.*)\)", page.locator("#scene").get_attribute("transform"))[1]
    )
    first = scale()

    page.click("#in")
    assert scale() > first
    page.locator("#stage").hover()
    page.mouse.wheel(0, 1000)
    page.wait_for_function("view.scale < 0.3")
    page.click("#fit")
    stage, scene = page.locator("#stage").bounding_box(), page.locator("#scene").bounding_box()
    assert stage["x"] <= scene["x"]
    assert scene["x"] + scene["width"] <= stage["x"] + stage["width"]


def test_large_graphs_open_folded(show):
    page = show(large_picture())

    assert names(page) == ["inputs", "softmax_cross_entropy", "Σ", "÷", "loss"]
    assert page.locator(".frame.folded").count() == 1
