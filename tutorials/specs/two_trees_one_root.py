"""Two trees that share their root: a document's topic, its words, and its pictures' colours."""

import numpy as np

import ghmpp as gh


def model(topics: int = 4, words: int = 6, pictures: int = 2, seed: int = 0) -> gh.Model:
    rng = np.random.default_rng(seed)
    document = gh.Model("document")
    topic = document.root("topic", topics, prior=rng.dirichlet(np.ones(topics)))
    topic.children("word", words, 8, potential=rng.dirichlet(np.ones(8), topics))
    picture = topic.children("picture", pictures, 5, potential=rng.dirichlet(np.ones(5), topics))
    picture.children("colour", 3, ["red", "green", "blue"], potential=rng.dirichlet([1, 1, 1], 5))
    return document
