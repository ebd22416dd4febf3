"""The paper against ours: what is drawn."""

import matplotlib.pyplot as plt
import numpy as np

from encnn.report.paper_figures import paper_against_ours


def test_each_row_has_all_starts_the_median_and_the_papers_count():
    figure = paper_against_ours({"Non-PP": 20, "PP": 18}, {"Non-PP": [15, 16, 19], "PP": [14, 15, 16]}, reviews=25)
    axes = figure.axes[0]
    drawn = [collection.get_offsets()[:, 0].tolist() for collection in axes.collections]
    assert drawn == [[15, 16, 19], [16], [20], [14, 15, 16], [15], [18]]
    assert [text.get_text() for text in axes.texts] == ["the paper: 20", "the paper: 18"]
    assert np.all(np.abs(axes.collections[0].get_offsets()[:, 1]) < 0.5)
    plt.close(figure)
