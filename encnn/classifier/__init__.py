"""`EncryptedClassifier` plays all parties in one object by the conventions of scikit-learn, for experiments on one's own data.

    table = pandas.read_csv("reviews.csv")
    model = EncryptedClassifier().fit(table.text[:6000], table.label[:6000])      # encrypted weights, 128 bits
    print(model.score(table.text[6000:], table.label[6000:]))                     # the owner reads the scores

`estimator` has the classifier, and `choice` chooses the settings that its caller did not name.  This package needs scikit-learn
(`encnn[sklearn]`), and `import encnn` does not import it.
"""

try:
    from encnn.classifier.estimator import EncryptedClassifier
except ModuleNotFoundError as error:
    if error.name is None or not error.name.startswith("sklearn"):
        raise
    raise ModuleNotFoundError(
        "EncryptedClassifier needs scikit-learn, which is not installed; run: pip install 'encnn[sklearn]'", name=error.name
    ) from error  # the same type, since callers that try an import expect it

__all__ = ["EncryptedClassifier"]
