"""`python -m benchmarks`: measure, print, and write benchmarks/twin.csv."""

from pathlib import Path

from benchmarks.twin import table
from encnn import experiments as ex
from encnn.reproduce import load_or_toy

if __name__ == "__main__":
    result = table(ex.words_dataset(load_or_toy("imdb")))
    print(result.to_string(index=False))
    result.to_csv(Path(__file__).parent / "twin.csv", index=False)
