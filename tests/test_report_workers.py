"""Pictures on workers: what is drawn."""

import matplotlib.pyplot as plt
import pandas as pd

from encnn.report.worker_figures import traffic_by_batch


def test_both_panels_have_a_bar_per_batch_size_from_zero():
    table = pd.DataFrame({"batch size": [16, 64], "steps per 1,000 reviews": [62.5, 15.6], "kB per review": [0.61, 0.59]})
    left, right = traffic_by_batch(table).axes
    assert [bar.get_height() for bar in left.patches] == [62.5, 15.6]
    assert [bar.get_height() for bar in right.patches] == [0.61, 0.59]
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0
    plt.close("all")
