"""A hidden Markov chain: a state that tends to stay, seen through a noisy symbol at each step."""

import ghmpp as gh


def model(length: int = 20, states: int = 3, stay: float = 0.9, seen: float = 0.8) -> gh.Model:
    chain = gh.Model("hidden Markov chain")
    hidden = chain.chain("state", length, states, potential=sticky(stay, states))
    hidden.children("symbol", 1, states, potential=sticky(seen, states))
    return chain


def sticky(same: float, states: int):
    return lambda s, t: same if s == t else (1 - same) / (states - 1)
