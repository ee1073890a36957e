"""The base of `StringLookup` and `IntegerLookup`: a vocabulary, and the mapping from tokens to indices and back.

Indices start with the mask token (only in mode "int"), followed by those of out-of-vocabulary tokens and then those of
the vocabulary. A vocabulary is an immutable object, which `adapt` and `set_vocabulary` replace.

A vocabulary passed to the constructor is part of the config. A learned one is part of the state: the file
`vocabulary.txt` among a model's assets, one token per line.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import ModuleType
from typing import Any, Self, TypeAlias, cast

import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import context, dtypes
from cornu.core.symbolic import KerasTensor, output_spec
from cornu.core.typing import AnyTuple, Config, ConfigDict, Data, Nested, Tensor
from cornu.layers.category_counts import OUTPUT_MODES, encode, mode_of
from cornu.layers.hashing import checked_salt
from cornu.layers.host import HostLayer, as_numpy, as_objects, batches, numpy_for, refuse_sparse

LOOKUP_MODES = (*OUTPUT_MODES, "tf_idf")
_ASSET = "vocabulary.txt"
_MOST_UNKNOWN = 2**20  # out-of-vocabulary indices: limits the memory that a small config can request


Token: TypeAlias = Any  # a string, or an integer


class TokenCounts:
    """How often each token occurred in the data so far, and in how many documents."""

    def __init__(self) -> None:
        self.tokens: Counter[Token] = Counter()
        self.documents: Counter[Token] = Counter()
        self.number_of_documents = 0

    def add(self, documents: list[list[Token]], each: bool) -> None:
        """Count the tokens of some documents; with `each`, also the number of documents containing each token."""
        self.tokens.update(chain.from_iterable(documents))
        if each:
            self.documents.update(chain.from_iterable(map(set, documents)))
        self.number_of_documents += len(documents)

    def most_frequent(self, left_out: Sequence[Token], number: int | None) -> list[Token]:
        """Tokens by decreasing frequency; ties are broken in descending order."""
        counts = {token: count for token, count in self.tokens.items() if token not in left_out}
        tokens = sorted(counts, reverse=True)
        tokens.sort(key=counts.__getitem__, reverse=True)  # a stable sort
        return tokens[:number]

    def inverse_frequencies(self, tokens: list[Token]) -> np.ndarray:
        """For each token `log(1 + documents / (1 + documents with the token))`."""
        found = np.array([self.documents[token] for token in tokens], "float64")
        return np.log1p(self.number_of_documents / (1 + found))


class IndexLookup(HostLayer):
    """The base of both lookups; subclasses define what tokens are and how unknown ones are assigned to indices.

    Subclasses define `token_dtype`, the tokens' dtype in symbolic tensors; `make_vocabulary`, a class of vocabularies;
    and the methods `_tokens(vocabulary)`, a list of plain tokens; `_values(inputs)`, the inputs as an array of tokens;
    and `_spread(values)`, a number from 0 to `num_oov_indices - 1` for each token.
    """

    pure_call = rowwise = True
    token_dtype: str
    make_vocabulary: Any
    _tokens: Callable[[object], list[Token]]
    _values: Callable[[Any], Any]
    _spread: Callable[[Any], Any]

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: object,
        oov_token: object,
        vocabulary: object,
        idf_weights: object,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        salt: object,
        **kwargs: Any,
    ):
        self._declared_size = kwargs.pop("vocabulary_size", None)
        super().__init__(**kwargs)
        if max_tokens is not None and validate.positive_int(max_tokens, "max_tokens", self) == 1:
            raise ValueError(f"{validate.describe(self)}: max_tokens must be greater than 1, or None. Received: 1.")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"{validate.describe(self)}: pad_to_max_tokens requires max_tokens.")
        self.max_tokens = max_tokens
        self.num_oov_indices = validate.non_negative_int(num_oov_indices, "num_oov_indices", self)
        if num_oov_indices > _MOST_UNKNOWN:
            raise ValueError(
                f"{validate.describe(self)}: num_oov_indices must be at most {_MOST_UNKNOWN}. "
                f"Received: {num_oov_indices}."
            )
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.output_mode = output_mode = mode_of(output_mode, LOOKUP_MODES, self)
        self.invert = bool(invert)
        if self.invert and output_mode != "int":
            raise ValueError(
                f'{validate.describe(self)}: invert requires output_mode="int". Received: output_mode="{output_mode}".'
            )
        self.sparse = refuse_sparse(sparse, self)
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.salt = checked_salt(salt, self)
        self._vocabulary: Any = None
        self._idf: np.ndarray | None = None  # including those of unknown tokens
        self._given: AnyTuple = (
            None,
            None,
        )  # the constructor's vocabulary and idf weights, for the config
        self.reset_state()
        if vocabulary is not None:
            self._start_with(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError(f"{validate.describe(self)}: idf_weights require a vocabulary.")

    def _start_with(self, vocabulary: Any, idf_weights: Any) -> None:
        """Take the constructor's vocabulary, which goes into the config, too, unless it is a file's path."""
        self.set_vocabulary(vocabulary, idf_weights)
        if not _is_path(vocabulary):
            idf = None if idf_weights is None else np.asarray(idf_weights)
            self._given = (as_objects(self._tokens(vocabulary)), idf)

    # ------------------------------------------------------------ calls

    def call(self, inputs: Tensor) -> Nested:
        """The indices of tokens, or their vectors; with `invert`, the tokens for indices."""
        if self.invert:
            self._require_vocabulary()
            return self._tokens_at(numpy_for(inputs).asarray(inputs).astype("int32"))
        return self.encoded(self.indices(self._values(inputs)))

    def compute_output_spec(self, inputs: Nested) -> Nested:
        """The symbolic output for symbolic tokens or indices."""
        if self.invert:
            return KerasTensor(inputs.shape, dtypes.storage_dtype(self.token_dtype))
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        depth = 0 if mode == "int" else self.depth()
        return output_spec(
            lambda x: encode(x, mode, depth, self.output_dtype), KerasTensor(inputs.shape, "int32")
        )  # fmt: skip

    @property
    def output_dtype(self) -> str:
        """The dtype of the output: integers, or the layer's own for vectors."""
        if self.output_mode == "int":
            return "int64"
        return "float32" if self.compute_dtype == "string" else self.compute_dtype

    def indices(self, values: Tensor) -> Tensor:
        """The index of each token; -1 for the mask token if masks have no index."""
        self._require_vocabulary()
        xp = numpy_for(values)
        places = self._vocabulary.find(values)
        masked = xp.zeros(places.shape, bool) if self.mask_token is None else values == self.mask_token
        unknown = (places < 0) & ~masked
        offset = len(self._special_tokens())
        found = xp.where(unknown, -1, places + offset)
        if xp is np:
            self._place_unknown(found, values, unknown)
        elif self.num_oov_indices:
            found = xp.where(unknown, self._spread(values) + (offset - self.num_oov_indices), found)
        return xp.where(masked, 0 if self._masks else -1, found)

    def _place_unknown(self, found: np.ndarray, values: np.ndarray, unknown: np.ndarray) -> None:
        """Write the indices of unknown tokens into `found`."""
        if not unknown.any():
            return
        if not self.num_oov_indices:
            some = sorted({str(value) for value in values[unknown]})[:5]
            raise ValueError(
                f"{validate.describe(self)}: with num_oov_indices=0 all tokens must be in the vocabulary. "
                f"Unknown: {', '.join(map(repr, some))}. Set num_oov_indices=1 to give them an index."
            )
        found[unknown] = self._spread(values[unknown]) + (len(self._special_tokens()) - self.num_oov_indices)

    def encoded(self, indices: object) -> Tensor:
        """Indices encoded according to the output mode."""
        if self.output_mode != "tf_idf":
            depth = 0 if self.output_mode == "int" else self.depth()
            return encode(indices, self.output_mode, depth, self.output_dtype)
        counts = encode(indices, "count", self.depth(), self.output_dtype)
        return counts * self.padded_idf().astype(counts.dtype)

    def padded_idf(self) -> np.ndarray:
        """The weight of an occurrence of each token."""
        if self._idf is None:
            raise ValueError(f'{validate.describe(self)}: output_mode="tf_idf" requires idf weights: call adapt(data).')
        return np.pad(self._idf, (0, self.depth() - len(self._idf)))

    def depth(self) -> int:
        """The length of the vectors."""
        size = self.max_tokens if self.pad_to_max_tokens else self.known_size()
        if size is None:
            self._require_vocabulary()
        return cast(int, size)

    def _tokens_at(self, indices: Tensor) -> Tensor:
        xp = numpy_for(indices)
        table = self._vocabulary.table(self._special_tokens(), self.oov_token, xp)
        inside = (indices >= 0) & (indices < len(table) - 1)
        return table[xp.where(inside, indices, len(table) - 1)]

    # ------------------------------------------------------------ the vocabulary

    @property
    def _masks(self) -> bool:
        """Whether the mask token has an index."""
        return self.mask_token is not None and self.output_mode == "int"

    def _special_tokens(self) -> list[Token]:
        return [self.mask_token] * self._masks + [self.oov_token] * self.num_oov_indices

    def _require_vocabulary(self) -> None:
        if self._vocabulary is None:
            raise ValueError(
                f"{validate.describe(self)} has no vocabulary yet: pass vocabulary=..., or call adapt(data) or "
                "set_vocabulary(tokens) first."
            )

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Token]:
        """The tokens in order of their indices.

        Args:
            include_special_tokens: whether to include the mask token and the out-of-vocabulary token. Defaults to True.
        """
        tokens = [] if self._vocabulary is None else self._vocabulary.tokens.tolist()
        return (self._special_tokens() if include_special_tokens else []) + tokens

    def vocabulary_size(self) -> int:
        """The number of indices, including those of special tokens."""
        return len(self._special_tokens()) + (0 if self._vocabulary is None else len(self._vocabulary.tokens))

    def set_vocabulary(self, vocabulary: Any, idf_weights: Tensor = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: the tokens, usually in order of decreasing frequency, with or without the special tokens at the
                start; or the path of a text file with one token per line.
            idf_weights: for "tf_idf", the weight of an occurrence of each token; unknown tokens get the mean.
        """
        tokens = _read_lines(os.fspath(vocabulary), self) if _is_path(vocabulary) else vocabulary
        tokens = self._tokens(tokens)
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f'{validate.describe(self)}: idf_weights are required for output_mode="tf_idf" and only allowed there. '
                f'Received: output_mode="{self.output_mode}", idf_weights={validate.shown(idf_weights)}.'
            )
        if idf_weights is not None and len(idf_weights) != len(tokens):
            raise ValueError(
                f"{validate.describe(self)}: idf_weights must have one entry per token. "
                f"Received: {len(idf_weights)} weights for {len(tokens)} tokens."
            )
        special = self._leading_special(tokens)
        idf = None if idf_weights is None else np.asarray(idf_weights)
        self._replace(tokens[special:], None if idf is None else idf[special:])
        if special and idf is not None:
            cast(np.ndarray, self._idf)[:special] = idf[:special]

    def _leading_special(self, tokens: list[Token]) -> int:
        """The number of special tokens at the start of a vocabulary: all or none."""
        special = self._special_tokens()
        return len(special) if special and tokens[: len(special)] == special else 0

    def _replace(self, tokens: list[Token], idf: np.ndarray | None) -> None:
        """Set a vocabulary without special tokens, and its idf weights."""
        self._check(tokens)
        self._vocabulary = self.make_vocabulary(tokens)
        if idf is not None:
            unknown = np.full(self.num_oov_indices, idf.mean() if len(idf) else 0.0)
            self._idf = np.concatenate([unknown, idf]).astype("float32")

    def _check(self, tokens: list[Token]) -> None:
        if not tokens:
            raise ValueError(f"{validate.describe(self)}: the vocabulary must not be empty.")
        if self.mask_token is not None and self.mask_token in tokens:
            raise ValueError(
                f"{validate.describe(self)}: the mask token {self.mask_token!r} is in the vocabulary at index "
                f"{tokens.index(self.mask_token)}. Omit the special tokens, or start the vocabulary with exactly "
                "these: "
                f"{self._special_tokens()}."
            )
        if len(set(tokens)) != len(tokens):
            repeated = [token for token, count in Counter(tokens).items() if count > 1]
            raise ValueError(f"{validate.describe(self)}: the vocabulary contains duplicate tokens: {repeated[:5]}.")
        size = len(self._special_tokens()) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{validate.describe(self)}: the vocabulary has {size} tokens, including special ones, but "
                f"max_tokens is {self.max_tokens}."
            )

    # ------------------------------------------------------------ learning from data

    def adapt(self, data: Data, steps: int | None = None) -> None:
        """Learn the vocabulary from data, most frequent tokens first, discarding the previous one.

        A model that contains the layer and has already run keeps the old vocabulary until `compile` is called again.

        Args:
            data: an array, a list, or an iterable of batches (a generator, a `PyDataset`, a data loader).
            steps: number of batches to use from an iterable; None uses all.
        """
        self.require_no_given()
        self.reset_state()
        for batch in batches(data, self, steps):
            self.update_state(batch)
        if not self._counts.number_of_documents:
            raise ValueError(f"{validate.describe(self)}: adapt() received no data.")
        self.finalize_state()

    def update_state(self, data: Data) -> None:
        """Count the tokens of a batch for the vocabulary computed by `finalize_state`; each row is a document."""
        self.require_no_given()
        values = self._values(as_numpy(data, self))
        rows = len(values) if values.ndim and self.output_mode == "tf_idf" else 1
        self.count(values.reshape(rows, values.size // max(rows, 1)).tolist())

    def count(self, documents: list[list[Token]]) -> None:
        """Count the tokens of documents."""
        self._counts.add(documents, each=self.output_mode == "tf_idf")

    def finalize_state(self) -> None:
        """Create the vocabulary from the tokens counted so far."""
        if not self._counts.number_of_documents:
            return
        room = None if self.max_tokens is None else self.max_tokens - len(self._special_tokens())
        tokens = self._counts.most_frequent((self.mask_token, self.oov_token), room)
        if not tokens:
            raise ValueError(f"{validate.describe(self)}: the data passed to adapt() contained no tokens.")
        self._replace(tokens, self._counts.inverse_frequencies(tokens) if self.output_mode == "tf_idf" else None)

    def reset_state(self) -> None:
        """Discard the counts so far; the vocabulary is kept until a new one is created."""
        self._counts = TokenCounts()

    def require_no_given(self) -> None:
        """Raise if a vocabulary was given to the constructor, so that none can be learned."""
        if self._given[0] is not None:
            raise ValueError(
                f"{validate.describe(self)}: the vocabulary was given to the constructor, so there is nothing to adapt."
            )

    # ------------------------------------------------------------ config and state

    @property
    def vocabulary(self) -> list[Token] | None:
        """The vocabulary for the config: the one given to the constructor, or one that cannot be saved as lines of
        text."""
        if self._given[0] is not None:
            return self._given[0].tolist()
        return None if self._fits_lines() else self.get_vocabulary(include_special_tokens=False)

    @property
    def idf_weights(self) -> list[float] | None:
        """The idf weights that belong to `vocabulary`."""
        if self._given[0] is not None:
            return None if self._given[1] is None else self._given[1].tolist()
        if self._idf is None or self._fits_lines():
            return None
        return self._idf[self.num_oov_indices :].tolist()

    def _fits_lines(self) -> bool:
        tokens = self.get_vocabulary(include_special_tokens=False)
        return not any(isinstance(token, str) and (not token or token.splitlines() != [token]) for token in tokens)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, and the size of the vocabulary."""
        return super().get_config() | {"vocabulary_size": self.known_size()}

    def known_size(self) -> int | None:
        """The size of the vocabulary, or the size stored in the config."""
        return self._declared_size if self._vocabulary is None else self.vocabulary_size()

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The layer described by `get_config`.

        Raises:
            ValueError: if the vocabulary is a file path, which a config must not contain.
        """
        return super().from_config(without_path(config, cls))

    def save_assets(self, dir_path: str) -> None:
        """Write `vocabulary.txt` to a directory, unless the vocabulary is in the config."""
        if self._vocabulary is None or self.vocabulary is not None:
            return
        with open(os.path.join(dir_path, _ASSET), "w", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(map(str, self.get_vocabulary())))

    def load_assets(self, dir_path: str) -> None:
        """Read what `save_assets` wrote."""
        path = os.path.join(dir_path, _ASSET)
        if self.vocabulary is not None or not os.path.exists(path):
            if self._vocabulary is None and self._declared_size is not None:
                raise ValueError(f"{validate.describe(self)}: the file contains no {_ASSET} for it.")
            return
        with open(path, encoding="utf-8", newline="\n") as file:
            tokens = self._tokens(file.read().split("\n"))
        tokens = tokens[self._leading_special(tokens) :]
        if tokens:
            self._replace(tokens, None)
            self._check_idf()

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Store the idf weights in `store`, if there are any."""
        if self._idf is not None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        """Load the idf weights from `store`."""
        if self.output_mode != "tf_idf" or "idf_weights" not in store:
            if store:
                raise ValueError(f"{validate.describe(self)} has no variables {sorted(store)}.")
            return
        self._idf = np.asarray(store["idf_weights"], "float32")
        if self._idf.ndim != 1:
            raise ValueError(f"{validate.describe(self)}: idf weights must have one axis. Received: {self._idf.shape}.")
        self._check_idf()

    def _check_idf(self) -> None:
        """Compare the idf weights with the vocabulary, which may be loaded later."""
        if self._idf is None or self._vocabulary is None:
            return
        if len(self._idf) not in (self.vocabulary_size(), self.depth()):
            raise ValueError(
                f"{validate.describe(self)}: {len(self._idf)} idf weights do not match a vocabulary of "
                f"{self.vocabulary_size()} tokens."
            )
        self._idf = self._idf[: self.vocabulary_size()]


def without_path(config: Config, cls: type) -> Config:
    """`config`; raises ValueError if its vocabulary is a file path."""
    if isinstance(config.get("vocabulary"), (str, bytes)):
        raise ValueError(
            f"{cls.__name__}: the config contains a vocabulary file, which is not opened: "
            f"{validate.shown(config['vocabulary'])}. If you trust it, read the file yourself and pass the tokens as "
            "a list."
        )
    return config


def _is_path(vocabulary: object) -> bool:
    return isinstance(vocabulary, (str, os.PathLike))


def _read_lines(path: str, owner: "IndexLookup") -> list[str]:
    if context.current().safe_mode:  # a user's class may be created from an untrusted config
        raise ValueError(
            f"{validate.describe(owner)}: the config contains a vocabulary file, which is not opened: "
            f"{validate.shown(path)}. If you trust it, read the file yourself and pass the tokens as a list."
        )
    if not os.path.isfile(path):
        raise ValueError(f"{validate.describe(owner)}: there is no vocabulary file {validate.shown(path)}.")
    with open(path, encoding=getattr(owner, "encoding", "utf-8")) as file:
        lines = file.read().removesuffix("\n").split("\n")
    if "" in lines[owner.mask_token == "" :]:
        raise ValueError(f"{validate.describe(owner)}: line {lines.index('') + 1} of the file {path!r} is empty.")
    return lines


class TextVocabulary:
    """Strings numbered from 0."""

    def __init__(self, tokens: list[str]):
        self.tokens = np.array(tokens, object)
        self._places = {token: place for place, token in enumerate(tokens)}

    def find(self, values: np.ndarray) -> np.ndarray:
        """The index of each string; -1 if it has none."""
        get = self._places.get
        places = np.fromiter((get(value, -1) for value in values.ravel().tolist()), "int64", values.size)
        return places.reshape(values.shape)

    def table(self, special: list[Token], last: str, xp: object) -> np.ndarray:
        """The tokens, after `special` ones and before `last`."""
        return np.array([*special, *self.tokens, last], object)


class IntegerVocabulary:
    """Integers numbered from 0."""

    def __init__(self, tokens: list[int]):
        self.tokens = np.array(tokens, "int64")
        self._order = np.argsort(self.tokens)

    def find(self, values: Tensor) -> Tensor:
        """The index of each integer; -1 if it has none."""
        xp = numpy_for(values)
        order = self._order
        if xp is jnp:  # 32-bit integers cannot equal a value that needs more
            limits = jnp.iinfo(values.dtype)
            order = order[(self.tokens[order] >= limits.min) & (self.tokens[order] <= limits.max)]
            if not order.size:
                return jnp.full(values.shape, -1, "int32")
        tokens = xp.asarray(self.tokens[order].astype(values.dtype))
        places = xp.clip(xp.searchsorted(tokens, values), 0, order.size - 1)
        order = xp.asarray(order.astype("int32"))
        return xp.where(tokens[places] == values, order[places], -1)

    def table(self, special: list[Token], last: int, xp: ModuleType) -> Tensor:
        """The tokens, after `special` ones and before `last`."""
        table = np.array([*special, *self.tokens, last], "int64")
        narrow = table.astype(dtypes.storage_dtype("int64"))
        return xp.asarray(narrow) if xp is jnp or (narrow == table).all() else table
