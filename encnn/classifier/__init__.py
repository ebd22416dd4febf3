"""`EncryptedClassifier`: all parties in one object, with the conventions of scikit-learn, for experiments on data of one's own.

    table = pandas.read_csv("reviews.csv")
    model = EncryptedClassifier().fit(table.text[:6000], table.label[:6000])      # encrypted weights, 128 bits
    print(model.score(table.text[6000:], table.label[6000:]))                     # the owner reads the scores

`estimator` is the classifier, `choice` how it chooses what is not named.  This room needs scikit-learn (`encnn[sklearn]`), and
`import encnn` does not import it.
"""

try:
    from encnn.classifier.estimator import EncryptedClassifier
except ModuleNotFoundError as error:
    if error.name is None or not error.name.startswith("sklearn"):
        raise
    raise ModuleNotFoundError(
        "EncryptedClassifier needs scikit-learn, which is not installed; run: pip install 'encnn[sklearn]'", name=error.name
    ) from error  # the type that whoever tries an import expects

__all__ = ["EncryptedClassifier"]
