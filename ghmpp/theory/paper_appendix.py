"""What the paper states in its appendix: where it is in this package, and which test checks it."""

from __future__ import annotations

from ghmpp.theory.paper_entries import Entry, formula

APPENDIX: tuple[Entry, ...] = (
    formula("Lemma 3", "lemma_3", "theory::test_propositions_7_and_8_are_lemma_3"),
    formula("Lemma 4", "lemma_4", "theory::test_lemma_4_bounds_the_squared_distance"),
    formula(
        "Lemma 5, (26), (27), (A-MP-CLS)",
        "lemma_5",
        "lemmas::test_lemma_5_error_at_the_root lemmas::test_lemma_5_nets_do_expand",
        "approximation.propagate:propagate",
    ),
    Entry(
        "Lemma 6",
        "exact messages do not expand",
        "approximation.kernels:Kernel.contraction",
        "lemmas::test_lemma_6_exact_messages_do_not_expand",
    ),
    Entry(
        "Lemma 7",
        "normalisation is 2-Lipschitz in sup norm",
        "approximation.propagate:accumulate",
        "lemmas::test_lemma_7_normalisation_is_2_lipschitz_in_sup_norm",
    ),
    formula(
        "Lemma 8, (28)",
        "lemma_8",
        "nets::test_lemma_8_error_is_at_most_delta_and_has_one_sign "
        "nets::test_lemma_8_as_printed_has_the_wrong_sign "
        "nets::test_lemma_8_bound_of_the_biases_fails_for_two_units",
        "approximation.paper_nets:UniformExpNet",
    ),
    formula(
        "Lemma 9, (29)",
        "lemma_9",
        "nets::test_lemma_9_error_is_at_most_delta_and_has_one_sign "
        "nets::test_lemma_9_with_knots_uniform_in_x_misses_delta",
        "approximation.paper_nets:UniformLogNet",
    ),
    Entry(
        "Lemma 10",
        "three ReLU units are an indicator at the integers",
        "approximation.symbols:SymbolNet",
        "nets::test_lemma_10_is_an_indicator_at_the_integers",
    ),
    Entry(
        "Lemma 11",
        "errors of exp and log add up in a message",
        "approximation.paper_nets:UniformExpNet.growth",
        "nets::test_lemma_11_errors_of_exp_and_log_add_up",
    ),
    Entry(
        "Lemma 12",
        "an error of log is that of the message of an observed state",
        "approximation.paper_nets:LemmaSizes.leaf_log",
        "nets::test_lemmas_12_and_15_send_observed_states_with_error_delta",
    ),
    formula(
        "Lemma 13",
        "lemma_13_exp",
        "nets::test_lemma_13_error_is_at_most_delta_with_its_numbers_of_units "
        "nets::test_lemma_13_takes_half_the_units_that_lemma_9_asks_for "
        "nets::test_lemma_13_bound_of_the_biases_needs_a_small_delta",
        "theory.paper:lemma_13_log approximation.message:size_net",
    ),
    Entry(
        "Lemma 14",
        "the three matrices of a message",
        "approximation.message:make_net",
        "nets::test_lemma_14_is_the_same_function_in_our_layout "
        "nets::test_the_layout_of_the_paper_cancels_in_single_precision",
        "corrected",
        "constants that are differences of units, and units of log that face right, cancel in "
        "floating point; ours do not",
    ),
    formula(
        "Lemma 15",
        "lemma_15",
        "nets::test_lemmas_12_and_15_send_observed_states_with_error_delta",
        "approximation.paper_nets:LemmaSizes.leaf_log",
    ),
    Entry(
        "Lemma 16",
        "the three matrices of the message of an observed state",
        "approximation.message:make_net",
        "nets::test_lemma_16_net_for_observed_states "
        "nets::test_lemma_16_reads_one_number_and_its_biases_exceed_one",
        "corrected",
        "W_3 has two columns, and entries up to S + 1/2, not 1",
    ),
    Entry("Lemma 17", "approximation and generalization, classification", status="not used"),
    formula(
        "Proposition 7",
        "proposition_7",
        "theory::test_propositions_7_and_8_are_lemma_3 "
        "theory::test_covering_numbers_count_the_parameters_of_the_classes",
        "theory.paper:proposition_7_covering",
    ),
    formula(
        "Lemma 18, Lemma 19",
        "lemma_19",
        "theory::test_lemma_19_bounds_the_gradient_of_convnets "
        "theory::test_normalisation_is_not_2_lipschitz_in_the_euclidean_norm",
    ),
    formula(
        "Lemma 20",
        "lemma_20",
        "theory::test_lipschitz_constants_are_gradients_times_sizes_of_matrices "
        "theory::test_propositions_7_and_8_are_lemma_3",
    ),
    formula(
        "Lemma 21, (31), (32), (33), (A-MP-DNS)",
        "lemma_21",
        "lemmas::test_lemma_21_error_at_the_leaves",
        "approximation.propagate:propagate",
    ),
    Entry(
        "Lemma 22",
        "approximation and generalization, denoising",
        status="not used",
        erratum="its second expectation is that of m, not of m_1",
    ),
    formula(
        "Proposition 8",
        "proposition_8",
        "theory::test_covering_numbers_count_the_parameters_of_the_classes",
        "theory.paper:proposition_8_covering",
    ),
    formula(
        "Lemma 23, Lemma 24",
        "lemma_24",
        "theory::test_lemma_24_bounds_the_gradient_of_unets_by_the_largest_noisy_value",
    ),
    formula(
        "Lemma 25",
        "lemma_25",
        "theory::test_lipschitz_constants_are_gradients_times_sizes_of_matrices",
    ),
)
