"""What the paper states in its main text: where it is in this package, and which test checks it.

The appendix is in :mod:`ghmpp.theory.paper_appendix`. Modules are below ``ghmpp``; tests are
written ``file::test`` with the short names of :data:`FILES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ghmpp.theory.paper import RESULTS
from ghmpp.theory.results import Status

FILES: Mapping[str, str] = {
    "bp": "tests/backends/test_belief_propagation.py",
    "channels": "tests/models/test_channels.py",
    "check": "tests/models/test_latent_check.py",
    "constants": "tests/models/test_assumptions.py",
    "convolutions": "tests/backends/test_convolutions.py",
    "deep": "tests/diffusion/test_deep_latent.py",
    "emitted": "tests/backends/families/test_paper_network.py",
    "free": "tests/backends/families/test_family.py",
    "ghm": "tests/models/test_ghm.py",
    "langevin": "tests/schedule/test_langevin.py",
    "latent": "tests/models/test_latent.py",
    "law": "tests/theory/test_encoder_law.py",
    "lemmas": "tests/theory/test_paper_lemmas.py",
    "loopy": "tests/schedule/test_loopy.py",
    "models-spins": "tests/models/test_spins.py",
    "nets": "tests/approximation/test_paper_nets.py",
    "networks": "tests/approximation/test_paper_construction.py",
    "normalized": "tests/models/test_normalized.py",
    "norms": "tests/backends/families/test_norms.py",
    "passes": "tests/schedule/test_passes.py",
    "piecewise": "tests/backends/families/test_piecewise_fields.py",
    "residual": "tests/diffusion/test_residual.py",
    "sparse": "tests/models/test_sparse_coding.py",
    "spins-report": "tests/models/test_spins_report.py",
    "split": "tests/diffusion/test_score_split.py",
    "theory": "tests/theory/test_paper.py",
    "variational": "tests/schedule/test_variational.py",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the map.

    Parameters
    ----------
    items
        Names in the paper, such as ``"Lemma 8, (28)"``.
    says
        What it states, in words.
    functions
        Where it is, ``module:name`` below ``ghmpp``, separated by blanks.
    tests
        Which tests check it, ``file::name``, separated by blanks.
    status
        Whether it stands as printed.
    erratum
        What was wrong, or how it was reconstructed.
    result
        Name of its formula in :data:`ghmpp.theory.paper.RESULTS`; empty without one.
    """

    items: str
    says: str
    functions: str = ""
    tests: str = ""
    status: Status = "as stated"
    erratum: str = ""
    result: str = ""


def formula(items: str, name: str, tests: str, functions: str = "") -> Entry:
    """The row of a formula of :data:`ghmpp.theory.paper.RESULTS`, which has its status."""
    found = RESULTS[name]
    where = f"theory.paper:{name} {functions}".strip()
    return Entry(items, found.quantity, where, tests, found.status, found.erratum, name)


MAIN_TEXT: tuple[Entry, ...] = (
    Entry(
        "(GHM), (1), Assumption 1",
        "the model: tables on the edges of a tree, shared by rank",
        "models.ghm:GHM",
        "ghm::test_weights_are_the_product_of_the_tables "
        "lemmas::test_siblings_are_not_alike_when_tables_depend_on_the_rank "
        "lemmas::test_subtrees_of_one_table_are_alike_given_the_top_but_not_by_themselves",
        "corrected",
        "subtrees at one level have equal laws only given their top variables; the prior of the "
        "root is kept apart, so that it does not enter K",
    ),
    Entry(
        "(2), Assumption 2",
        "entries of the tables lie in [1/K, K]",
        "models.assumptions:EdgeAssumptions approximation.paper:largest_entry",
        "constants::test_all_entries_lie_within_the_bound_and_one_attains_it",
    ),
    Entry(
        "(3)",
        "every such model is one of conditional probabilities",
        "models.model:Model.normalized",
        "normalized::test_the_law_is_unchanged "
        "lemmas::test_conditional_form_changes_the_bound_and_not_the_birkhoff_diameter",
        "corrected",
        "true, but K grows a lot; the Birkhoff diameter stays, and our bounds use that",
    ),
    Entry(
        "(ConvNet)",
        "the network that classifies",
        "compiler:compile",
        "emitted::test_theorem_3_holds_for_the_emitted_classifier",
    ),
    Entry(
        "(4), (15)",
        "a message as a network of two hidden layers",
        "approximation.message:ExpLogNet backends.families.free:FreeNets",
        "nets::test_lemma_14_is_the_same_function_in_our_layout "
        "free::test_free_nets_are_the_formula_of_the_paper",
    ),
    Entry(
        "(5), (16)",
        "normalize: subtract the largest entry",
        "schedule.ir:Normalize",
        "passes::test_what_is_sent_has_largest_entry_one_or_is_evidence",
    ),
    Entry(
        "(6), (17)",
        "the weights: three matrices for each level, rank and direction",
        "backends.families.free:FreeNets",
        "free::test_free_nets_are_the_formula_of_the_paper",
    ),
    Entry(
        "Remark 1",
        "the layers are convolutions over ranks, and tied over nodes",
        "backends.network:Network.as_convolutions",
        "convolutions::test_nets_are_those_of_the_plan",
    ),
    Entry("(7), (8)", "empirical risk and square loss of a classifier", status="not used"),
    Entry(
        "(9)",
        "the class of networks with operator norms of at most B",
        "backends.families.norms:project backends.families.norms:operator_norms",
        "norms::test_projection_changes_only_what_is_too_large",
    ),
    Entry("(10)", "squared distance from the Bayes classifier", status="not used"),
    formula(
        "Theorem 1, (11)",
        "theorem_1",
        "theory::test_12_makes_the_first_term_of_theorem_1_epsilon_squared",
    ),
    formula(
        "Remark 2, (12)",
        "equation_12_width",
        "theory::test_12_makes_the_first_term_of_theorem_1_epsilon_squared",
    ),
    formula(
        "(12)",
        "equation_12_samples",
        "theory::test_samples_make_the_second_term_epsilon_squared_up_to_logarithms",
    ),
    formula(
        "(13)",
        "equation_13",
        "theory::test_13_and_22_are_the_rates_for_two_states theory::test_13_and_22_are_polynomial",
    ),
    Entry(
        "(BP-CLS), Lemma 1",
        "beliefs from the leaves to the root give the posterior of the class",
        "backends.reference:run",
        "bp::test_lemma_1_the_root_has_the_posterior_of_the_class",
    ),
    Entry(
        "(MP-CLS), (14), Proposition 2",
        "message passing in logs is belief propagation, at every node",
        "schedule.build:build_schedule backends.reference:run",
        "bp::test_proposition_2_collected_values_are_the_beliefs_of_classification",
        "corrected",
        "its proof has h of the parent under the product over the children",
    ),
    formula(
        "Theorem 3, (24), (25)",
        "theorem_3",
        "networks::test_theorem_3_classifier_stays_within_delta_for_every_input "
        "lemmas::test_theorem_3_error_of_log_posteriors_is_at_most_that_of_the_messages "
        "lemmas::test_theorem_3_log_posteriors_may_move_twice_as_far_as_normalised_values "
        "theory::test_printed_width_of_theorem_3_is_too_small_for_its_proof_at_large_errors",
        "approximation.paper:theorem_3_width approximation.bounds:plan_network",
    ),
    Entry(
        "(UNet)",
        "the network that denoises",
        "compiler:compile",
        "emitted::test_theorem_6_holds_for_the_emitted_denoiser",
    ),
    Entry(
        "Remark 3",
        "its encoder is the classifier; the decoder reads the encoder's messages",
        "schedule.passes:prune",
        "passes::test_a_unet_that_keeps_the_root_alone_is_the_convnet",
    ),
    Entry(
        "(18)",
        "empirical risk of a denoiser",
        status="not used",
        erratum="missing; the analogue of (7)",
    ),
    Entry(
        "(19)",
        "the class of U-Nets with operator norms of at most B, in both directions",
        "backends.families.norms:project",
        "norms::test_projection_changes_only_what_is_too_large",
        "reconstructed",
        "missing; the analogue of (9)",
    ),
    Entry(
        "(20)",
        "mean squared distance from the Bayes denoiser",
        status="not used",
        erratum="missing; as in Lemma 22",
    ),
    formula(
        "Theorem 4",
        "theorem_4",
        "theory::test_samples_make_the_second_term_epsilon_squared_up_to_logarithms",
    ),
    formula(
        "(21)",
        "equation_21_samples",
        "theory::test_samples_make_the_second_term_epsilon_squared_up_to_logarithms",
        "theory.paper:equation_21_width",
    ),
    formula(
        "(22)",
        "equation_22",
        "theory::test_13_and_22_are_the_rates_for_two_states "
        "theory::test_13_and_22_are_polynomial theory::test_22_needs_three_children",
    ),
    Entry(
        "(ERM), (SDE)",
        "denoisers of z = t x + sqrt(t) g, and the process that they drive",
        "models.channels:Localization",
        "channels::test_localization_is_relative_to_the_law_without_signal",
        "not used",
        "the noise is there; learning and sampling with it are not",
    ),
    Entry(
        "(BP-DNS), Lemma 2",
        "beliefs in both directions give the Bayes denoiser",
        "backends.reference:run",
        "bp::test_lemma_2_posterior_means_are_those_of_the_denoiser",
        "corrected",
        "nu_up,L for nu_up,v^(L); nu_down^(L) is not normalised",
    ),
    Entry(
        "(MP-DNS), (23), Proposition 5",
        "message passing in logs is belief propagation, at every node and in both directions; the "
        "softmax of b is the posterior of every node, hidden ones too",
        "schedule.build:build_schedule backends.reference:run",
        "bp::test_proposition_5_downward_messages "
        "bp::test_proposition_5_upward_messages_are_beliefs_without_the_own_evidence "
        "bp::test_proposition_5_inputs_of_the_upward_nets_are_u_minus_q "
        "bp::test_softmax_of_the_decoder_is_the_posterior_of_every_node",
        "corrected",
        "levels of its proof are off by one; u - q is -inf - -inf with zeros and hard evidence, so "
        "siblings are added up without the child's own message",
    ),
    formula(
        "Theorem 6, (30)",
        "theorem_6",
        "networks::test_theorem_6_denoiser_stays_within_delta_for_all_noise "
        "lemmas::test_theorem_6_means_differ_by_less_than_its_proof_says "
        "theory::test_widths_are_those_that_are_compared_with_ours",
        "approximation.paper:theorem_6_width approximation.bounds:plan_network",
    ),
)
