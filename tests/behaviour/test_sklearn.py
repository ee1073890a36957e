"""scikit-learn takes models as estimators: in pipelines, searches and cross-validation, cloned and pickled."""

import contextlib
import pickle
import sys
from unittest import SkipTest

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import cornu
from cornu import layers, wrappers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X @ [1.0, -2.0, 0.5]
LABELS = np.where(Y > 0, "up", "down")
FIT = {"verbose": 0, "batch_size": 100, "shuffle": False}


def network(X, y, loss="mse", activation=None, rate=0.1):
    """A linear model with the same weights at each start; eager, as most models here are trained for one step."""
    start = cornu.initializers.GlorotUniform(seed=0)
    dense = layers.Dense(y.shape[1], activation=activation, kernel_initializer=start)
    model = cornu.Sequential([cornu.Input((X.shape[1],)), dense])
    model.compile(cornu.optimizers.SGD(rate), loss, run_eagerly=True)
    return model


def classifier(**fit):
    settings = {"loss": "categorical_crossentropy", "activation": "softmax"}
    return wrappers.SKLearnClassifier(network, model_kwargs=settings, fit_kwargs={**FIT, **fit})


def regressor(**fit):
    return wrappers.SKLearnRegressor(network, fit_kwargs={**FIT, **fit})


def transformer(**fit):
    return wrappers.SKLearnTransformer(network, fit_kwargs={**FIT, **fit})


def compiled():
    return network(X, Y[:, None])


# The outputs of a model are scores by class for two classes as well, as with Keras; scikit-learn has one column there.
OF_TWO_CLASSES = {"check_classifiers_train", "check_classifiers_classes"}
SLOW = {
    "check_classifier_data_not_an_array",
    "check_classifier_multioutput",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
    "check_dict_unchanged",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_overwrite_params",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1sample",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_supervised_y_2d",
}  # of a classifier: they pass, and are about what the three estimators share


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "left_out"), [
    (regressor, set()), (transformer, set()), (classifier, SLOW | OF_TWO_CLASSES),
], ids=["regressor", "transformer", "classifier"])  # fmt: skip
def test_scikit_learns_own_checks_pass(make, left_out):
    for estimator, check in estimator_checks_generator(make()):
        if check.func.__name__ not in left_out:
            with contextlib.suppress(SkipTest):
                check(estimator)


def test_labels_may_be_text_and_predictions_are_labels():
    made = classifier(epochs=20).fit(X, LABELS)
    assert list(made.classes_) == ["down", "up"]
    assert made.score(X, LABELS) > 0.8
    scores = made.decision_function(X)
    np.testing.assert_allclose(scores, made.model_.predict(X, verbose=0))
    assert list(made.classes_[scores.argmax(1)]) == list(made.predict(X))


def test_predictions_have_the_shape_of_the_targets():
    two = np.stack([Y, -Y], 1)
    assert regressor().fit(X, Y).predict(X).shape == (40,)
    assert regressor().fit(X, two).predict(X).shape == (40, 2)


def test_a_given_model_is_copied_and_a_warm_start_goes_on_with_it():
    model = compiled()
    before = model.get_weights()[0]
    cold = wrappers.SKLearnRegressor(model, fit_kwargs=FIT).fit(X, Y)
    assert cold.model_ is not model
    np.testing.assert_array_equal(model.get_weights()[0], before)
    warm = wrappers.SKLearnRegressor(model, warm_start=True, fit_kwargs=FIT)
    losses = [warm.fit(X, Y).history_.history["loss"][0] for _ in range(3)]
    assert warm.model_ is model
    assert losses[0] > losses[1] > losses[2]


def test_arguments_of_fit_come_before_those_of_the_constructor():
    made = regressor(epochs=2)
    assert made.epoch_ == 0
    assert made.fit(X, Y).epoch_ == 2
    assert made.fit(X, Y, epochs=3).epoch_ == 3


def test_a_search_over_arguments_of_the_model():
    rates = [{"rate": 1e-6}, {"rate": 0.1}]
    search = GridSearchCV(regressor(epochs=5), {"model_kwargs": rates}, cv=2).fit(X, Y)
    assert search.best_params_ == {"model_kwargs": {"rate": 0.1}}
    assert cross_val_score(search.best_estimator_, X, Y, cv=2).shape == (2,)


def test_a_pipeline_ends_in_a_model_and_is_pickled_whole():
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=10)).fit(X * 100, LABELS)
    again = pickle.loads(pickle.dumps(pipeline))
    assert list(again.predict(X * 100)) == list(pipeline.predict(X * 100))
    assert again[-1].history_.history == pipeline[-1].history_.history


def test_a_trained_model_is_a_step_of_a_pipeline():
    model = compiled()
    step = wrappers.SKLearnTransformer(model)
    pipeline = make_pipeline(FrozenEstimator(step), Ridge()).fit(X, Y)
    assert pipeline.predict(X).shape == (40,)
    np.testing.assert_allclose(step.transform(X), model.predict(X, verbose=0))


def test_a_transformer_trains_and_transforms():
    made = transformer()
    outputs = made.fit_transform(X, X[:, :2])
    assert outputs.shape == (40, 2)
    np.testing.assert_allclose(outputs, made.predict(X))
    with pytest.raises(ValueError, match="requires y"):
        made.fit(X, None)


def test_a_clone_has_a_model_of_its_own():
    made = wrappers.SKLearnRegressor(compiled(), warm_start=True, fit_kwargs=FIT)
    copy = clone(made)
    np.testing.assert_array_equal(copy.model.get_weights()[0], made.model.get_weights()[0])
    copy.fit(X, Y)
    assert not hasattr(made, "model_")
    assert not np.array_equal(copy.model_.get_weights()[0], made.model.get_weights()[0])


def test_sample_weights_are_routed_where_they_are_asked_for():
    made = regressor()
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        made.set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        made.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = GridSearchCV(made, {"warm_start": [False]}, cv=2, refit=False)
        search.fit(X, Y, sample_weight=np.zeros(40))
        with pytest.raises(Exception, match="sample_weight"):
            GridSearchCV(regressor(), {"warm_start": [False]}, cv=2).fit(X, Y, sample_weight=np.zeros(40))


@pytest.mark.parametrize(("model", "error", "words"), [
    (3, TypeError, "model must be a model or a function"),
    (lambda X, y: 3, TypeError, "the function must return a model"),
    (cornu.Sequential([cornu.Input((3,)), layers.Dense(1)]), RuntimeError, "must be compiled"),
])  # fmt: skip
def test_what_is_no_compiled_model_is_refused(model, error, words):
    with pytest.raises(error, match=f"SKLearnRegressor: .*{words}"):
        wrappers.SKLearnRegressor(model).fit(X, Y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="only one class, up"):
        classifier().fit(X, np.full(40, "up"))


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "cornu.wrappers.estimators", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"cornu\.wrappers needs the package 'sklearn'"):
        _ = wrappers.SKLearnRegressor
