"""Every name of the documents that the rooms of this folder answer to has its row for who comes from PyMC."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import nbinfer as nb

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from-pymc.md").read_text(encoding="utf-8")
UNFENCED = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
WORDS = {word for code in re.findall(r"`([^`]+)`", UNFENCED) for word in re.findall(r"\w+", code)}

#: By what they belong to.
NAMES = {
    "objectives": """ObjectiveFunction obj_params test_params updates ObjectiveUpdates step_function score_function
        obj_n_mc tf_n_mc obj_optimizer test_optimizer more_obj_params more_tf_params more_updates more_replacements
        total_grad_norm_constraint fn_kwargs score""",
    "operators": """Operator apply has_test_function returns_loss require_logq supports_aevb objective_class T KL beta
        KSD KSDObjective Stein TestFunction setup from_function Kernel rbf RBF temperature use_histogram Kxy dxkxy dlogp
        density_part_grad repulsive_part_grad input_joint_matrix approx_symbolic_matrices""",
    "groups": """Group vfam params random_seed local rowwise options supports_batched has_logq short_name alias_names
        initial_dist_name initial_dist_map ddim bdim ndim inputs input params_dict shared_params replacements
        symbolic_initial symbolic_random symbolic_random2d symbolic_logq_not_scaled symbolic_normalizing_constant mean
        cov std mean_data std_data var_to_data get_param_spec_for group_for_params group_for_short_name register
        MeanFieldGroup FullRankGroup EmpiricalGroup NormalizingFlowGroup mean_field mf full_rank fr empirical""",
    "approximations": """Approximation groups SingleGroupApproximation MeanField FullRank Empirical NormalizingFlow logp
        varlogp datalogp logq logp_norm varlogp_norm datalogp_norm logq_norm symbolic_logp single_symbolic_logp
        sized_symbolic_logp scale_cost_to_minibatch has_local has_global has_batched symbolic_randoms collect
        all_histograms any_histograms joint_histogram rslice sample_dict_fn sample sample_node sample_approx
        include_transformed return_inferencedata get_optimization_replacements make_size_and_deterministic_replacements
        set_size_and_deterministic symbolic_sample_over_posterior symbolic_single_sample to_flat_input histogram randidx
        evaluate_over_trace""",
    "flows": """AbstractFlow Formula forward logdet sum_logdets forward_pass all_params root isroot parent formula
        is_local register_flow flow_for_params flow_for_short_name seems_like_formula seems_like_flow_params PlanarFlow
        RadialFlow LocFlow ScaleFlow HouseholderFlow""",
    "inference": """Inference KLqp ADVI FullRankADVI NFVI ImplicitGradient SVGD ASVGD fit refine run_profiling hist
        approx local_rv method start start_sigma inf_kwargs callbacks progressbar advi fullrank_advi svgd asvgd nfvi
        n_particles cost_part_grad_scale CheckParametersConvergence Tracker clear VariationalInferenceError
        ExplicitInferenceError AEVBInferenceError ParametrizationError GroupError BatchedGroupError LocalGroupError""",
    "optimisers": """sgd momentum nesterov_momentum apply_momentum apply_nesterov_momentum adagrad adagrad_window
        rmsprop adadelta adam adamax norm_constraint total_norm_constraint learning_rate get_value set_value""",
    "data": """get_data Minibatch align_minibatches GeneratorAdapter generator set_gen set_default minibatch
        update_shared update_shared_f clone make_random_slices make_static_slices in_memory_size broadcastable
        total_size tt_rng""",
}


@pytest.mark.parametrize("what", NAMES)
def test_each_name_has_its_row(what):
    assert [name for name in NAMES[what].split() if name not in WORDS] == []


def test_what_the_page_says_is_there_is():
    named = set(re.findall(r"\bnb\.([A-Za-z]\w*)", PAGE))
    assert {"fit", "Group", "shared"} <= named
    later = {line for line in PAGE.splitlines() if re.search(r"\| later \|", line)}
    planned = {name for line in later for name in re.findall(r"\bnb\.([A-Za-z]\w*)", line)}
    assert [name for name in sorted(named - planned) if not hasattr(nb, name)] == []


def test_every_public_name_comes_from_its_room_when_asked_for():
    from nbinfer import variational

    for name in variational.__all__:
        assert getattr(nb, name) is getattr(variational, name)
        assert name in nb.__all__
    assert nb.optimizers.adam is nb.adam
    assert nb.callbacks.Tracker is nb.Tracker
    assert set(nb.__all__) <= set(dir(nb))
    with pytest.raises(AttributeError, match="module 'nbinfer' has no attribute 'nothing'"):
        nb.nothing  # noqa: B018


def test_who_fits_imports_no_compiler():
    code = "import nbinfer.variational, sys; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_who_samples_imports_none_of_it():
    code = "import nbinfer, sys; print([name for name in sys.modules if name.startswith('nbinfer.variational')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
