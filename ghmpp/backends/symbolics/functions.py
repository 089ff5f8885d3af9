"""The functions that printed code calls, as source text in each language.

Values are logs: arrays (..., nodes, states) in Python, (nodes, states) in C. No function gives nan:
-inf is never subtracted from itself, and what siblings say is added, never subtracted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PYTHON = '''
def send(x, table):
    """Entry [k, r]: log of the sum over i of exp(table[k % rows, r, i] + x[k, i])."""
    rows, receivers, senders = table.shape
    nodes = x.shape[-2]
    runs = x.reshape(*x.shape[:-2], nodes // rows, rows, 1, senders)
    return logsumexp(table + runs).reshape(*x.shape[:-2], nodes, receivers)

def gather(x, index):
    """Entry [k, r]: x[k, index[k % rows, r]]."""
    node = {xp}.arange(x.shape[-2])
    return x[..., node[:, None], index[node % len(index)]]

def segments(x, index, states):
    """Entry [k, r]: log of the sum of exp(x[k, i]) over all i with index[k % rows, i] = r."""
    same = index[:, None, :] == {xp}.arange(states)[:, None]
    return send(x, {xp}.where(same, 0.0, -inf))

def by_parent(x, fanout):
    """Values of children as (..., parents, children of each, states)."""
    return x.reshape(*x.shape[:-2], x.shape[-2] // fanout, fanout, x.shape[-1])

def by_slot(x, slots):
    """As by_parent, children slots[p] of parent p; zeros where a slot is -1."""
    return {xp}.where((slots < 0)[..., None], 0.0, x[..., slots, :])

def others(x):
    """For each sibling the sum over all others: running sums from both ends, no difference."""
    zero = {xp}.zeros_like(x[..., :1, :])
    before = {join}([zero, x[..., :-1, :]], -2).cumsum(-2)
    after = {xp}.flip({join}([zero, {xp}.flip(x, (-2,))[..., :-1, :]], -2).cumsum(-2), (-2,))
    return before + after

def back(x):
    """From (..., parents, children of each, states) to (..., children, states)."""
    return x.reshape(*x.shape[:-3], x.shape[-3] * x.shape[-2], x.shape[-1])

def normalize(x):
    """Logs with their largest subtracted, and that largest; -inf stays."""
    top = {xp}.amax(x, -1)
    return x - {xp}.where(top == -inf, 0.0, top)[..., None], top

def shares(x):
    """Exponentials over their sum; zeros where all are -inf."""
    total = logsumexp(x)
    return {xp}.exp(x - {xp}.where(total == -inf, 0.0, total)[..., None])

def joint(above, table, below):
    """Shares of exp(above[k, s] + table[k % rows, s, a] + below[k, a]) over s and a."""
    rows = {xp}.arange(above.shape[-2]) % len(table)
    x = above[..., :, None] + table[rows] + below[..., None, :]
    return shares(x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])).reshape(x.shape)
'''

_NUMPY = '''
def logsumexp(x):
    """Log of the sum of exponentials on the last axis; -inf where all are -inf."""
    top = np.amax(x, -1)
    shift = np.where(top == -inf, 0.0, top)
    return log(np.exp(x - shift[..., None]).sum(-1)) + shift

def log(x):
    """Natural logarithm; -inf of zero."""
    with np.errstate(divide="ignore"):
        return np.log(x)

def logaddexp(a, b):
    """Log of exp(a) + exp(b)."""
    return np.logaddexp(a, b)

def largest(a, b):
    return np.maximum(a, b)

def smallest(a, b):
    return np.minimum(a, b)

def pick(entries, index):
    """Entries of a stack that repeat, in their places."""
    return np.array(entries, np.float64)[index]
'''

_TORCH = '''
def logsumexp(x):
    """Log of the sum of exponentials on the last axis; -inf where all are -inf."""
    return torch.logsumexp(x, -1)

def log(x):
    """Natural logarithm; -inf of zero."""
    return torch.log(x)

def number(x):
    return torch.as_tensor(x, dtype=torch.float64)

def logaddexp(a, b):
    """Log of exp(a) + exp(b)."""
    return torch.logaddexp(number(a), number(b))

def largest(a, b):
    return torch.maximum(number(a), number(b))

def smallest(a, b):
    return torch.minimum(number(a), number(b))

def pick(entries, index):
    """Entries of a stack that repeat, in their places."""
    return torch.stack([number(entry) for entry in entries])[index]
'''

_C = """
static double logaddexp(double a, double b)
{
    double top = a > b ? a : b;
    return top == -INFINITY ? top : top + log(exp(a - top) + exp(b - top));
}

static double largest(double a, double b) { return a > b ? a : b; }

static double smallest(double a, double b) { return a < b ? a : b; }

static double logsumexp(long n, const double *x)
{
    double top = -INFINITY, sum = 0.0;
    for (long i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
    if (top == -INFINITY) return top;
    for (long i = 0; i < n; i++) sum += exp(x[i] - top);
    return top + log(sum);
}

/* The logs of n numbers. */
static void logs(long n, const double *x, double *out)
{
    for (long i = 0; i < n; i++) out[i] = log(x[i]);
}

/* Entries of a stack that repeat, in their places. */
static void pick(long n, const int *index, const double *entries, double *out)
{
    for (long i = 0; i < n; i++) out[i] = entries[index[i]];
}

/* Rows of an array: rows[k], or all from the first on. */
static void take(long nodes, long states, const int *rows, const double *x, double *out)
{
    for (long k = 0; k < nodes; k++)
        for (long s = 0; s < states; s++)
            out[k * states + s] = x[(rows ? rows[k] : k) * states + s];
}

/* Row k of x becomes row at[k] of out, or row k. */
static void put(long nodes, long width, const int *at, const double *x, double *out)
{
    for (long k = 0; k < nodes; k++)
        for (long s = 0; s < width; s++) out[(at ? at[k] : k) * width + s] = x[k * width + s];
}

/* out[k][r]: log of the sum over i of exp(table[k % rows][r to + i from] + x[k][i]) */
static void send(long nodes, long rows, long receivers, long senders, long to, long from,
                 const double *table, const double *x, double *out)
{
    for (long k = 0; k < nodes; k++) {
        const double *row = x + k * senders;
        for (long r = 0; r < receivers; r++) {
            const double *t = table + (k % rows) * receivers * senders + r * to;
            double top = -INFINITY, sum = 0.0;
            for (long i = 0; i < senders; i++) top = largest(top, t[i * from] + row[i]);
            if (top > -INFINITY)
                for (long i = 0; i < senders; i++) sum += exp(t[i * from] + row[i] - top);
            out[k * receivers + r] = top > -INFINITY ? top + log(sum) : top;
        }
    }
}

/* out[k][r]: x[k][index[k % rows][r]] */
static void gather(long nodes, long rows, long receivers, long senders, const int *index,
                   const double *x, double *out)
{
    for (long k = 0; k < nodes; k++)
        for (long r = 0; r < receivers; r++)
            out[k * receivers + r] = x[k * senders + index[(k % rows) * receivers + r]];
}

/* out[k][r]: log of the sum of exp(x[k][i]) over all i with index[k % rows][i] = r */
static void segments(long nodes, long rows, long receivers, long senders, const int *index,
                     const double *x, double *out)
{
    for (long i = 0; i < nodes * receivers; i++) out[i] = -INFINITY;
    for (long k = 0; k < nodes; k++)
        for (long i = 0; i < senders; i++) {
            double *sum = out + k * receivers + index[(k % rows) * senders + i];
            *sum = logaddexp(*sum, x[k * senders + i]);
        }
}

/* Sums over the children of each parent: parent[k], or k / fanout. */
static void pool(long nodes, long states, long fanout, const int *parent, long parents,
                 const double *x, double *out)
{
    for (long i = 0; i < parents * states; i++) out[i] = 0.0;
    for (long k = 0; k < nodes; k++)
        for (long s = 0; s < states; s++)
            out[(parent ? parent[k] : k / fanout) * states + s] += x[k * states + s];
}

/* Every child gets the value of its parent. */
static void spread(long nodes, long states, long fanout, const int *parent, const double *x,
                   double *out)
{
    for (long k = 0; k < nodes; k++)
        for (long s = 0; s < states; s++)
            out[k * states + s] = x[(parent ? parent[k] : k / fanout) * states + s];
}

/* The parent's context plus what all siblings but the child say: running sums from both ends. */
static void exclude(long nodes, long states, long fanout, const int *parent, long parents,
                    const double *context, const double *x, double *run, double *out)
{
    for (int back = 0; back < 2; back++) {
        for (long i = 0; i < parents * states; i++) run[i] = 0.0;
        for (long j = 0; j < nodes; j++) {
            long k = back ? nodes - 1 - j : j, above = parent ? parent[k] : k / fanout;
            for (long s = 0; s < states; s++) {
                double before = run[above * states + s];
                if (back) out[k * states + s] += before;
                else out[k * states + s] = before + (context ? context[above * states + s] : 0.0);
                run[above * states + s] = before + x[k * states + s];
            }
        }
    }
}

/* Logs with the largest of each node subtracted, and that largest; -inf stays. */
static void normalize(long nodes, long states, const double *x, double *out, double *scale)
{
    for (long k = 0; k < nodes; k++) {
        double top = -INFINITY;
        for (long s = 0; s < states; s++) top = largest(top, x[k * states + s]);
        for (long s = 0; s < states; s++)
            out[k * states + s] = x[k * states + s] - (top > -INFINITY ? top : 0.0);
        if (scale) scale[k] = top;
    }
}

/* Exponentials over their sum, row by row; zeros where all are -inf. */
static void shares(long rows, long width, const double *x, double *out)
{
    for (long k = 0; k < rows; k++) {
        double sum = logsumexp(width, x + k * width);
        for (long i = k * width; i < (k + 1) * width; i++)
            out[i] = sum > -INFINITY ? exp(x[i] - sum) : 0.0;
    }
}

/* Mean of numbers under the shares of each row; 0 where all are -inf. */
static void mean(long nodes, long states, const double *values, const double *x, double *out)
{
    for (long k = 0; k < nodes; k++) {
        double sum = logsumexp(states, x + k * states);
        out[k] = 0.0;
        for (long s = 0; s < states && sum > -INFINITY; s++)
            out[k] += values[s] * exp(x[k * states + s] - sum);
    }
}

/* Shares of exp(above[k][s] + table[k % rows][s][a] + below[k][a]) over s and a. */
static void joint(long nodes, long rows, long parents, long states, const double *above,
                  const double *table, const double *below, double *out)
{
    for (long k = 0; k < nodes; k++)
        for (long s = 0; s < parents; s++)
            for (long a = 0; a < states; a++)
                out[(k * parents + s) * states + a] = above[k * parents + s] +
                    table[((k % rows) * parents + s) * states + a] + below[k * states + a];
    shares(nodes, parents * states, out, out);
}

/* Sum over nodes of the log of the sum of exponentials. */
static double total(long nodes, long states, const double *x)
{
    double sum = 0.0;
    for (long k = 0; k < nodes; k++) sum += logsumexp(states, x + k * states);
    return sum;
}

static double added(long n, const double *x)
{
    double sum = 0.0;
    for (long i = 0; i < n; i++) sum += x[i];
    return sum;
}
"""


def _python(own: str, xp: str, join: str) -> dict[str, str]:
    source = own + _PYTHON.replace("{xp}", xp).replace("{join}", join)
    return {part.split("(")[0]: f"def {part.rstrip()}" for part in source.split("\ndef ")[1:]}


def _c() -> dict[str, str]:
    """C functions by name, each with the comment above it."""
    parts = re.split(r"\n\n(?=/\*|static)", _C.strip())
    return {re.search(r"static \w+ (\w+)\(", part)[1]: part for part in parts}  # type: ignore[index]  # each part has one


FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "numpy": _python(_NUMPY, "np", "np.concatenate"),
    "torch": _python(_TORCH, "torch", "torch.cat"),
    "C": _c(),
}


def needed(language: str, body: str) -> Iterable[str]:
    """Sources of all functions that the body calls, and that these call, callees first."""
    known = FUNCTIONS[language]
    wanted: set[str] = set()
    queue = [body]
    while queue:
        called = set(re.findall(r"\b(\w+)\(", queue.pop())) & known.keys()
        queue += [known[name] for name in called - wanted]
        wanted |= called
    order = list(known) if language == "C" else sorted(known)
    return [known[name] for name in order if name in wanted]
