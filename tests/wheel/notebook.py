"""Executes a notebook with a Jupyter kernel and looks at what it shows: the progress line and an error."""

import nbformat
from nbclient import NotebookClient

CELLS = [
    """import libmnist as lm, numpy as np
x, y = np.random.default_rng(0).random((6400, 28, 28), np.float32), np.arange(6400) % 10
model = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Conv2D(8, 3), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
model.compile("adam", metrics=["accuracy"])
model.summary()""",
    "history = model.fit(x, y, epochs=2)",
    "model",
    "model.fit(x[:, 1:], y)",
]
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
NotebookClient(book, kernel_name="python3", allow_errors=True, timeout=120).execute()
summary, fit, shown, wrong = (cell.outputs for cell in book.cells)

assert "dense (Dense)" in summary[0].text, summary
said = "".join(output.text for output in fit if output.output_type == "stream")
drawn = [line for line in said.split("\r") if "ETA" in line]
assert len(drawn) > 2 and "200/200 [====" in said and said.startswith("Epoch 1/2\n"), said
assert "<Model (None, 28, 28, 1)" in shown[0].data["text/plain"], shown
assert wrong[0].ename == "ShapeError" and "27" in wrong[0].evalue, wrong
print(f"a notebook shows {len(drawn)} states of two epochs' line, the model, and the error")
