r"""The results of S. Mei, U-Nets as Belief Propagation (arXiv:2404.18444), as formulas.

Each is a :class:`~ghmpp.theory.results.Result`: ``value`` for numbers, ``expression`` for sympy,
``latex``. What the paper leaves as a constant stays the letter C. Where a formula is wrong as
printed, the repaired one stands here and ``printed_expression`` has the other.

Theorem 4 and the equations (18) to (21) are missing in the text that this was written from. They
are reconstructed from the proof in its Appendix G and by analogy with (7) to (12).

Examples
--------
>>> theorem_3.value(S=2, K=1.5, d=4, L=2, delta=0.01)
129600
>>> RESULTS["lemma_13_exp"].name
'Lemma 13'
"""

from __future__ import annotations

from ghmpp.theory.results import Result

_LEARNING = "Assumptions 1 and 2; the weights minimise the empirical risk over the class W"
_PARAMETERS = "D*(D + 2*S + 1)*m_1"
_NORMS = "operator norms of all weights at most B, B >= 1"

lemma_3 = Result(
    "Lemma 3",
    "supremum of a sub-Gaussian process",
    "C*sigma*sqrt((d_p*log(2*A_p*(1 + B_p*sigma_prime/sigma)) + log(1/eta))/n)",
    assumes="covering numbers and sub-Gaussian increments; with probability 1 - eta",
)
lemma_4 = Result(
    "Lemma 4",
    "squared distance of two distributions whose logs differ by delta",
    "(exp(delta) - 1)**2",
    assumes="distributions on finitely many states",
)
lemma_5 = Result(
    "Lemma 5",
    "error at the root, if every message has the error delta",
    "delta*3**L*d",
    status="corrected",
    erratum="its proof calls the nets non-expansive, which they are not; splitting at the exact "
    "message of the approximate input, as in Lemma 21, gives the same bound, also for the span",
    assumes="messages in sup norm; the product of 2 m + 1 over the levels is at most this",
)
lemma_8 = Result(
    "Lemma 8",
    "ReLU units for exp on (-inf, 0] with error delta",
    "ceiling(1/delta) + 1",
    status="corrected",
    erratum="the sign of all slopes is turned (a_1 divides by b_2 - b_1 < 0): error up to 2",
    assumes="delta > 0",
)
lemma_9 = Result(
    "Lemma 9",
    "ReLU units for log on [1/A, A] with error delta",
    "ceiling(2*A/delta) + 1",
    status="corrected",
    erratum="needs A >= 1, and knots that are uniform in value: uniform in x they miss delta",
    assumes="A >= 1",
)
lemma_13_exp = Result(
    "Lemma 13",
    "ReLU units per state for exp, M_2, in a message with error delta",
    "ceiling(2*S*K**2/delta) + 1",
    status="corrected",
    erratum="its bound on the biases needs delta <= S K^2",
)
lemma_13_log = Result(
    "Lemma 13",
    "ReLU units per state for log, M_1, in a message with error delta",
    "ceiling(2*S*K/delta) + 1",
    status="corrected",
    erratum="half of what Lemma 9 takes for delta / 2; enough with knots uniform in value",
)
lemma_15 = Result(
    "Lemma 15",
    "ReLU units per state for log, M_1, in the message of an observed state",
    "ceiling(K/delta) + 1",
    status="corrected",
    erratum="half of what Lemma 9 takes; enough with knots uniform in value",
)
theorem_3 = Result(
    "Theorem 3",
    "width for an error delta of log posteriors of the root",
    "Max(4*ceiling(S**2*K**2*d*3**L/delta), S*(ceiling(2*S*K**2*d*3**L/delta) + 1) + 1)",
    status="corrected",
    erratum="the printed width is less than the proof takes when delta is large",
    printed="4*ceiling(S**2*K**2*d*3**L/delta)",
)
theorem_6 = Result(
    "Theorem 6",
    "width for an error delta of posterior means of the leaves",
    "Max(4*ceiling(S**3*K**2*d*18**L/delta), S*(ceiling(2*S**2*K**2*d*18**L/delta) + 1) + 1)",
    status="corrected",
    erratum="the printed width is less than the proof takes when delta is large",
    printed="4*ceiling(S**3*K**2*d*18**L/delta)",
    assumes="Assumptions 1 and 2; states 1 .. S; noise of standard deviation 1",
)
lemma_21 = Result(
    "Lemma 21",
    "error of b at the leaves, if every message has the error delta",
    "delta*18**L*d",
    assumes="messages in sup norm",
)
theorem_1 = Result(
    "Theorem 1, (11)",
    "squared distance of the learned classifier from the Bayes classifier",
    "C*(S**4*K**4*d**2*3**(2*L)/D**2"
    f" + sqrt((L*{_PARAMETERS}*log(d*m_1*D*S*3**L) + log(1/eta))/n))",
    assumes=f"{_LEARNING}; D >= S^2 K^2 d 3^L; B polynomial; with probability 1 - eta",
)
theorem_4 = Result(
    "Theorem 4",
    "mean squared distance of the learned denoiser from the Bayes denoiser",
    "C*(S**6*K**4*d**2*18**(2*L)/D**2"
    f" + S**2*sqrt((L*{_PARAMETERS}*log(d*m_1*D*S*18**L) + log(1/eta))/n))",
    status="reconstructed",
    erratum="the statement is missing; this is what its proof (Appendix G) shows",
    assumes=f"{_LEARNING}; D >= S^3 K^2 d 18^L; B polynomial; with probability 1 - eta",
)
equation_12_width = Result(
    "Remark 2, (12)",
    "width for D_2^2 below epsilon^2, classification; up to the constant C",
    "C*S**2*K**2*d*3**L/epsilon",
    assumes=_LEARNING,
)
equation_12_samples = Result(
    "Remark 2, (12)",
    "samples for D_2^2 below epsilon^2, classification; up to C and logarithms",
    "C*L*S**4*K**4*d**2*3**(2*L)*m_1/epsilon**6",
    assumes=_LEARNING,
)
equation_13 = Result(
    "Remark 2, (13)",
    "the same for S = 2, constant K and m children per node; at most L^2 m d^4 / epsilon^6",
    "C*L**2*m*d**(2 + 2*log(3)/log(m))/epsilon**6",
    assumes=f"{_LEARNING}; m >= 3",
)
equation_21_width = Result(
    "(21)",
    "width for D_2^2 below epsilon^2, denoising; up to the constant C",
    "C*S**3*K**2*d*18**L/epsilon",
    status="reconstructed",
    erratum="missing; the analogue of (12)",
    assumes=_LEARNING,
)
equation_21_samples = Result(
    "(21)",
    "samples for D_2^2 below epsilon^2, denoising; up to C and logarithms",
    "C*L*S**10*K**4*d**2*18**(2*L)*m_1/epsilon**6",
    status="reconstructed",
    erratum="missing; the analogue of (12)",
    assumes=_LEARNING,
)
equation_22 = Result(
    "(22)",
    "the same for S = 2, constant K and m children per node; at most L^2 m d^8 / epsilon^6",
    "C*L**2*m*d**(2 + 2*log(18)/log(m))/epsilon**6",
    assumes=f"{_LEARNING}; m >= 3",
)
proposition_7 = Result(
    "Proposition 7",
    "generalization error of classification",
    f"C*sqrt((L*{_PARAMETERS}*log(d*m_1*D*S*B*3**L) + log(1/eta))/n)",
    assumes=f"{_NORMS}; with probability 1 - eta",
)
proposition_7_covering = Result(
    "Proposition 7, (a)",
    "log covering number of the ConvNets in a ball of radius r",
    f"{_PARAMETERS}*log(1 + 2*r/Delta)",
    assumes="Delta <= 2 r",
)
# Proof idea of the repair: the Euclidean norm of a normalised vector grows by at most 1 + sqrt(S),
# and rows of a Jacobian have sums of moduli of at most sqrt(S) times its operator norm. So a level
# has the factor (2 + sqrt(S)) m B^3 in values and 2 sqrt(S) m B^3 in gradients, both at most
# 3 sqrt(S) m B^3; a U-Net passes each level twice, the second time with at most 6 sqrt(S) B^3.
lemma_19 = Result(
    "Lemma 19",
    "largest gradient of a ConvNet's output in a weight matrix",
    "(3*sqrt(S)*B**3)**L*d*S**Rational(3, 2)",
    status="corrected",
    erratum="Lemma 18 uses norms of rows as norms of matrices, and normalisation is not "
    "2-Lipschitz in the Euclidean norm: a factor sqrt(S) per level is missing",
    printed="(3*B**3)**L*d*S**Rational(3, 2)",
    assumes=_NORMS,
)
lemma_20 = Result(
    "Lemma 20, Proposition 7 (c)",
    "Lipschitz constant of the square loss of a ConvNet in the weights",
    "12*m_1*(3*sqrt(S)*B**3)**L*d*S**Rational(3, 2)*(S + D)",
    status="corrected",
    erratum="as Lemma 19; it only enters a logarithm",
    printed="12*m_1*(3*B**3)**L*d*S**Rational(3, 2)*(S + D)",
    assumes=_NORMS,
)
proposition_8 = Result(
    "Proposition 8",
    "generalization error of denoising",
    f"C*S**2*sqrt((L*{_PARAMETERS}*log(d*m_1*D*S*B*18**L) + log(1/eta))/n)",
    status="corrected",
    erratum="cites the class (9) for (19), and writes mu for m",
    assumes=f"{_NORMS}; with probability 1 - eta",
)
proposition_8_covering = Result(
    "Proposition 8, (a)",
    "log covering number of the U-Nets in a ball of radius r",
    f"2*{_PARAMETERS}*log(1 + 2*r/Delta)",
    assumes="Delta <= 2 r",
)
lemma_24 = Result(
    "Lemma 24",
    "largest gradient of a U-Net's output in a weight matrix",
    "(18*S)**L*B**(6*L)*d*S**3*(S + z)",
    status="corrected",
    erratum="as Lemma 19, twice: 18 S for 18; and the noisy values of all leaves matter, not z_v",
    printed="18**L*B**(6*L)*d*S**3*(S + z)",
    assumes=_NORMS,
)
lemma_25 = Result(
    "Lemma 25, Proposition 8 (c)",
    "Lipschitz constant of the mean square error of a U-Net in the weights",
    "12*m_1*(18*S)**L*B**(6*L)*d*S**4*(S + z)*(S + D)",
    status="corrected",
    erratum="as Lemma 24; and 2 x - m - m' is at most 2 S, not 2 d",
    printed="12*m_1*18**L*B**(6*L)*d**2*S**3*(S + z)*(S + D)",
    assumes=_NORMS,
)

RESULTS: dict[str, Result] = {
    name: each for name, each in globals().copy().items() if isinstance(each, Result)
}
