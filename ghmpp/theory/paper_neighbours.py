"""Two other papers: what of them is in this package, and which test checks it.

Of arXiv:2309.11420 only a summary was at hand. Its models, fixed points and networks are built
from their definitions and tested by enumeration; its constants and rates are not quoted.
"""

from __future__ import annotations

from ghmpp.theory.paper_entries import Entry

DENOISING: tuple[Entry, ...] = (
    Entry(
        "Ising models",
        "couplings of spins, and their mean in noise as the score (Tweedie)",
        "models.spins:PairwiseSpins diffusion.diffuse:diffuse",
        "models-spins::test_known_models_have_the_couplings_of_their_definition "
        "sparse::test_the_denoiser_is_the_score",
    ),
    Entry(
        "naive variational Bayes",
        "the denoiser as a fixed point, m = tanh((A - K) m + a), step by step",
        "schedule.variational:NaiveMeanField",
        "variational::test_each_step_is_the_formula "
        "variational::test_ferromagnets_have_the_errors_of_the_literature",
    ),
    Entry(
        "unique minimiser",
        "the assumption under which the fixed point is one; measured, and said before a run",
        "models.spins_report:SpinsReport models.spins_fixed:FixedPoints",
        "spins-report::test_strong_curie_weiss_has_no_guarantee_and_two_fixed_points "
        "spins-report::test_two_fixed_points_are_counted_by_rows_of_evidence",
    ),
    Entry(
        "residual network",
        "unrolled steps as u + W_1 ReLU(W_2 u), with a bound on the distance to the fixed point",
        "diffusion.residual:residual_network",
        "residual::test_the_distance_to_the_fixed_point_stays_within_the_certificate "
        "residual::test_layers_are_rounds_of_the_compiled_schedule",
        "reconstructed",
        "sizes and bound are our own: 2 d + 1 numbers for d spins, the contraction of A - K and "
        "the error of the piecewise linear tanh",
    ),
    Entry(
        "three errors of the score",
        "variational, of the network, and of estimation, measured one by one",
        "diffusion.score_split:score_error",
        "split::test_parts_are_those_of_enumeration",
    ),
    Entry(
        "conditional Ising models and Boltzmann machines",
        "some spins are given, or never seen",
        "models.spins:PairwiseSpins",
        "variational::test_a_conditional_ising_model_has_its_condition_as_states "
        "variational::test_boltzmann_machines_with_the_hidden_spins_summed_out",
    ),
    Entry(
        "sparse coding",
        "x = A theta + noise, with a law for each entry of theta",
        "models.sparse_coding:SparseCoding",
        "sparse::test_the_denoiser_is_the_score "
        "sparse::test_tap_is_ten_times_better_than_mean_field",
    ),
    Entry(
        "open question: better free energies",
        "TAP, and belief propagation on the graph of couplings, as networks of the same kind",
        "schedule.variational:TAP schedule.loopy:LoopyBP observables.depth:tune_depth",
        "variational::test_weak_glasses_are_solved_as_well_as_each_engine_promises "
        "loopy::test_trees_are_exact_after_the_longest_path",
    ),
    Entry("sample complexity", "rates of learned scores", status="not used"),
)

ENCODERS: tuple[Entry, ...] = (
    Entry(
        "Definition 1",
        "latent Gaussian: z normal, x = G(z) + noise; strong invertibility is measured",
        "models.latent:LatentGaussian models.latent_check:Invertibility",
        "latent::test_samples_have_the_law_of_the_model "
        "latent::test_gradient_of_the_energy_is_the_drift",
    ),
    Entry(
        "Definition 2",
        "deep latent Gaussian: layers with a mean network and independent noise",
        "diffusion.deep_latent:DeepLatentGaussian",
        "deep::test_layers_are_a_mean_and_a_variance_of_the_time_step "
        "deep::test_encoder_has_the_same_layers_as_its_compiled_network",
    ),
    Entry(
        "Theorem 1",
        "gradient steps, then Langevin steps: an encoder as good as wished",
        "schedule.langevin:Langevin theory.encoder_law:encoder_law",
        "langevin::test_steps_are_those_of_autograd "
        "law::test_divergence_of_a_linear_encoder_falls_as_the_square_of_the_step "
        "law::test_encoder_of_a_curve_is_close_and_beats_every_normal_encoder",
    ),
    Entry(
        "Lemma 19, Lemma 20",
        "products of ReLU networks, and the gradient step as one",
        "approximation.sawtooth:product backends.families.piecewise_fields:ProductLayer",
        "piecewise::test_gradient_steps_through_a_generator_stay_within_their_certificate "
        "piecewise::test_a_gradient_step_with_nets_of_a_ten_thousandth_errs_by_less_than_a_thousandth",
        "corrected",
        "the Jacobian is never formed: a step costs two passes through the generator",
    ),
    Entry(
        "Theorem 2",
        "generators that cannot be inverted can need exponentially large encoders: refused",
        "models.latent_check:Invertibility",
        "check::test_map_that_folds_is_refused check::test_smooth_circuit_of_signs_is_refused",
    ),
    Entry("Lemma 27", "activations replaced by ReLU: our own bounds instead", status="not used"),
)
