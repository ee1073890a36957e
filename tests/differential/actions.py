"""The text of each action: a function of its arguments for each verb. What it shows goes to `see`."""

from typing import Any

from tests.differential.program import Do, Word

_AGAIN = "model(inputs(3))\ngive_weights(model)\nsee('again', model(inputs(3)))"
_OBJECTS = "custom_objects={c.__name__: c for c in classes}"


def text(action: Do) -> str:
    """The statements of an action."""
    return globals()[f"_{action.verb}"](**action.arguments)


def _given(arguments: dict[str, Any]) -> str:
    return "".join(f", {key}={value!r}" for key, value in arguments.items())


def _source(source: str | None, parts: str, arguments: dict[str, Any], endless: bool = False) -> str:
    """Text of what is given to `fit`: arrays, or a source of batches of two rows."""
    if source is None:
        return parts
    ends = ", endless=True" if endless and source == "generator" else ""
    weights = arguments.pop("sample_weight", None)
    return f"{source}({parts}{'' if weights is None else f', {weights!r}'}{ends})"


def _look() -> str:
    return "pass"


def _call(rows: int = 3, training: bool | None = None) -> str:
    return f"see('call', model(inputs({rows}){'' if training is None else f', training={training}'}))"


def _predict(rows: int = 5, batch_size: int | None = None, source: str | None = None) -> str:
    size = f", batch_size={batch_size}" if batch_size and not source else ""
    return f"see('predict', model.predict({_source(source, f'inputs({rows})', {})}{size}, verbose=0))"


def _compile(**arguments: Any) -> str:
    return f"model.compile({_given(arguments)[2:]})"


def _fit_text(source=None, hooks=False, validation=None, callbacks=(), **arguments: Any) -> str:
    data = _source(source, "inputs(5), labels(5)", arguments, endless="steps_per_epoch" in arguments)
    callbacks = [*callbacks, *([Word("hooks(see)")] if hooks else [])]
    if callbacks:
        arguments["callbacks"] = callbacks
    checks = {
        "arrays": "(inputs(4, 8), labels(4, 9))",
        "weighted": "(inputs(7, 8), labels(7, 9), weights_of_rows(7))",
        "generator": "generator(inputs(4, 8), labels(4, 9), rows=4)",
        "dataset": "dataset(inputs(4, 8), labels(4, 9), rows=4)",
    }
    if validation is not None:
        arguments["validation_data"] = Word(checks[validation])
    return f"model.fit({data}, shuffle=False, verbose=0{_given(arguments)})"


def _fit(**arguments: Any) -> str:
    return f"history = {_fit_text(**arguments)}\nsee('history', history.history, list(history.history), history.epoch)"


def _stopped(batch: int = 0, epoch: int = 0, epochs: int = 1) -> str:
    fit = _fit_text(batch_size=2, epochs=epochs, callbacks=[Word(f"raiser({batch}, {epoch})")])
    return f"try:\n    {fit}\nexcept Stop:\n    see('stopped')"


def _broken(verb: str = "evaluate") -> str:
    return f"try:\n    model.{verb}(breaking(inputs(2), labels(2)), verbose=0)\nexcept Stop:\n    see('broken')"


def _mistaken(call: str) -> str:
    return f"try:\n    {call}\nexcept Exception:\n    see('refused')"


def _rate(to: float = 0.01) -> str:
    return f"model.optimizer.learning_rate = {to}\nsee('rate', float(model.optimizer.learning_rate))"


def _logged() -> str:
    fit = _fit_text(batch_size=3, epochs=2, callbacks=[Word("K.callbacks.CSVLogger(mine('.csv'))")])
    return f"next_file()\n{fit}\nsee('logged', table(mine('.csv')))"


def _checkpoint(whole: bool = True, best: bool = False, from_other: bool = False) -> str:
    ending = ".keras" if whole else ".weights.h5"
    options = f"save_weights_only={not whole}, save_best_only={best}, monitor='loss'"
    kept = Word(f"K.callbacks.ModelCheckpoint(mine({ending!r}), {options})")
    loads = _loads(ending, from_other)
    return f"next_file()\n{_fit_text(batch_size=3, epochs=2, callbacks=[kept])}\n---\n{loads}"


def _evaluate(source=None, hooks=False, **arguments: Any) -> str:
    data = _source(source, "inputs(5), labels(5)", arguments)
    if hooks:
        arguments["callbacks"] = [Word("hooks(see)")]
    return f"see('evaluate', model.evaluate({data}, verbose=0{_given(arguments)}))"


def _on_batch(verb: str, rows: int = 3, sample_weight: bool = False) -> str:
    rows = 7 if sample_weight else rows  # more than there are steps, on which Keras lays weights of as many rows
    weights = f", sample_weight=weights_of_rows({rows})" if sample_weight else ""
    return f"see('{verb}', model.{verb}(inputs({rows}), labels({rows}){weights}, return_dict=True))"


def _train_on_batch(**arguments: Any) -> str:
    return _on_batch("train_on_batch", **arguments)


def _test_on_batch(**arguments: Any) -> str:
    return _on_batch("test_on_batch", **arguments)


def _config() -> str:
    return f"see('config', model.get_config())\nmodel = type(model).from_config(model.get_config())\n{_AGAIN}"


def _json() -> str:
    return f"see('json', model.to_json())\nmodel = K.models.model_from_json(model.to_json(), {_OBJECTS})\n{_AGAIN}"


def _clone() -> str:
    return f"model = K.models.clone_model(model)\n{_AGAIN}"


def _summary(**arguments: Any) -> str:
    printed = "print_fn=lambda *a, **k: lines.append(a[0])"
    return (
        f"lines = []\nmodel.summary({printed}{_given(arguments)})\n"
        "table, *totals = '\\n'.join(lines).partition(' Total params')\nsee('summary', table)\n"
        "see('totals', ''.join(totals))"
    )


def _save(format: str = ".keras", from_other: bool = False) -> str:
    saves = "save_weights" if format == ".weights.h5" else "save"
    return f"next_file()\nmodel.{saves}(mine({format!r}))\n---\n{_loads(format, from_other)}"


def _loads(format: str, from_other: bool) -> str:
    file = f"{'theirs' if from_other else 'mine'}({format!r})"
    if format == ".weights.h5":
        return f"give_weights(model, 9)\nmodel.load_weights({file})"
    return f"model = K.saving.load_model({file}, {_OBJECTS})\nsee('loaded', model(inputs(3)))"


def _weights(seed: int = 5) -> str:
    return f"give_weights(model, {seed})\nsee('call', model(inputs(3)))"


def _by_hand(factor: float = 0.5) -> str:
    return (
        f"variable = model.weights[0]\nvariable.assign(variable * {factor})\nsee('assigned', variable)\n"
        "see('call', model(inputs(3)))"
    )


def _longer() -> str:
    return "see('longer', model(inputs(3, more=2)), model.predict(inputs(5, more=1), batch_size=2, verbose=0))"


def _edited() -> str:
    return "held = model.get_weights()\nheld[0][...] = 0.5\nmodel.set_weights(held)\nsee('call', model(inputs(3)))"


def _listed() -> str:
    return (
        "given = inputs(3)\ngiven = list(given.values())[::-1] if isinstance(given, dict) else given\n"
        "see('call', model(given))"
    )


def _freeze(layer: int | None = None, trainable: bool = False) -> str:
    return f"model{'' if layer is None else f'.layers[{layer}]'}.trainable = {trainable}"


def _losses() -> str:
    return "model(inputs(3))\nsee('losses', [float(x) for x in model.losses])"


def _features(layer: int = -1) -> str:
    inner = f"K.Model(model.inputs, model.layers[{layer}].output)"
    given = "give_weights(inner)"  # it may lead through layers that the model has not
    return f"inner = {inner}\n{given}\nsee('features', inner.predict(inputs(3), verbose=0))"


def _shapes() -> str:
    return (
        "see('shapes', model.output_shape, model.input_shape)\n"
        "see('names', [layer.name for layer in model.layers], model.count_params())"
    )
