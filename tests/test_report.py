"""The report of a run: one file that needs no network and holds what it was given."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
from gradx.train import History
from gradx.train.curves import line_chart, scale_of

KEY = gx.random.key(0)
VOID = ("<meta charset=", "<!doctype html>")
COUNTS = np.asarray([[7, 1], [0, 9]])


def a_history():
    history = History(["epoch", "loss", "validation_loss", "validation_accuracy", "seconds"])
    history.add({"epoch": 1, "loss": 0.9, "validation_loss": 0.8125, "validation_accuracy": 0.5,
                 "seconds": 1.0})  # fmt: skip
    history.add({"epoch": 2, "loss": 0.4, "validation_loss": 0.9, "validation_accuracy": 0.75,
                 "seconds": 2.0})  # fmt: skip
    return history


def written(tmp_path, history=None, **options):
    """Return the body of a report, which is XML beside its first two tags, and its text."""
    path = tmp_path / "run.html"
    (a_history() if history is None else history).report(path, **options)
    text = path.read_text(encoding="utf-8")
    body = text[text.index("<body>") : text.index("</html>")]
    return ET.fromstring(body.replace(' xmlns="http://www.w3.org/2000/svg"', "")), text


def test_a_report_is_well_formed_and_asks_for_nothing_from_elsewhere(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2, key=KEY), nn.relu)
    x = np.ones((3, 2), np.float32)

    _, text = written(
        tmp_path,
        summary=model.summary(x),
        confusion=COUNTS,
        graph=gx.draw(lambda model: gx.sum(model(x)), model),
    )

    assert "src=" not in text
    assert "href=" not in text
    assert "url(" not in text
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"')


def test_losses_share_a_chart_and_other_columns_have_their_own(tmp_path):
    body, _ = written(tmp_path)

    charts = body.findall(".//svg")
    titles = [[title.text for title in chart.iter("title")] for chart in charts]
    assert titles == [
        [
            "epoch 1: loss 0.9",
            "epoch 2: loss 0.4",
            "epoch 1: validation loss 0.8125",
            "epoch 2: validation loss 0.9",
        ],
        ["epoch 1: validation accuracy 0.5", "epoch 2: validation accuracy 0.75"],
    ]


def test_the_best_epoch_and_the_time_are_told(tmp_path):
    body, _ = written(tmp_path)

    tiles = ["".join(tile.itertext()) for tile in body.iterfind(".//div[@class='tile']")]
    assert tiles == [
        "2epochs",
        "0.4least loss, epoch 2",
        "0.8125least validation loss, epoch 1",
        "0.75validation accuracy at the end",
        "3 sin all epochs",
    ]


def test_settings_are_those_of_fit_and_those_given(tmp_path):
    x = np.ones((4, 2))
    result = gx.train.fit(
        nn.Linear(2, 1, key=KEY, dtype="float64"), nn.mse, gx.optim.adam(0.1), (x, x[:, :1]),
        epochs=1, key=KEY, progress=None, batch_size=2,
    )  # fmt: skip

    body, _ = written(tmp_path, result.history, settings={"learning_rate": 0.1})

    cells = [cell.text for cell in body.iterfind(".//div[@class='columns']//td")]
    found = dict(zip(cells[::2], cells[1::2], strict=True))
    assert found["optimizer"] == "adam"
    assert (found["loss"], found["batch size"], found["learning rate"]) == ("mse", "2", "0.1")


def test_confusion_shows_every_count_under_the_names_of_classes(tmp_path):
    body, _ = written(tmp_path, confusion=COUNTS, classes=["cat", "dog"])

    table = body.find(".//table[@class='confusion']")
    assert [th.text for th in table.iter("th")] == [None, "cat", "dog", "cat", "dog"]
    assert [int(td.text) for td in table.iter("td")] == [7, 1, 0, 9]


def test_the_summary_of_the_model_is_there(tmp_path):
    body, _ = written(tmp_path, summary=nn.Linear(1000, 2, key=KEY).summary())

    rows = [[cell.text for cell in row] for row in body.iterfind(".//div[@class='columns']//tr")]
    assert rows[1] == ["model", "Linear", None, "2,002", "8,008"]
    assert rows[2] == ["total", None, None, "2,002", "8,008"]


def test_texts_are_escaped(tmp_path):
    _, text = written(tmp_path, title="<script>", settings={"<b>": "&"}, confusion=COUNTS,
                      classes=["<i>", '"'])  # fmt: skip

    assert not any(bad in text for bad in ("<script>", "<b><", "<i>"))


def test_a_number_that_is_not_finite_is_a_gap(tmp_path):
    chart = ET.fromstring(
        line_chart({"loss": [1.0, float("nan"), 2.0, float("inf")]}, [1, 2, 3, 4])
    )

    curve = next(path for path in chart.iter("path") if path.get("fill") == "none")
    assert curve.get("d").count("M") == 2
    assert len(list(chart.iter("circle"))) == 2


def test_lines_stay_inside_the_axes():
    for values in [[3.0], [0.0, 0.0], [-5.0, 5.0], [1e-9, 3e-9], [1e30, -1e30], [0.97, 0.98]]:
        low, high, step = scale_of(values)
        assert low <= min(values) <= max(values) <= high
        assert 0 < step <= high - low <= 8 * step


def test_no_epochs_make_a_report_too(tmp_path):
    body, _ = written(tmp_path, History(["epoch", "loss"]))

    assert body.find(".//div[@class='tile']/b").text == "0"


def test_what_cannot_be_in_a_report_is_named(tmp_path):
    for options, problem in [
        ({"title": 3}, "title is 3"),
        ({"settings": [1]}, "settings"),
        ({"summary": "table"}, "summary"),
        ({"graph": "picture"}, "graph"),
        ({"confusion": COUNTS * 0.5}, "confusion"),
    ]:
        with pytest.raises(DTypeError, match=problem):
            written(tmp_path, **options)
    with pytest.raises(ShapeError, match="expected a square"):
        written(tmp_path, confusion=COUNTS[:1])
    with pytest.raises(ShapeError, match="3 classes for a confusion of"):
        written(tmp_path, confusion=COUNTS, classes="abc")
