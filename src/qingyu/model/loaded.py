"""A loaded bundle, and how the generators of its tasks are driven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from qingyu import bundle, taught
from qingyu.engine.device import Device, chosen
from qingyu.engine.network import Network
from qingyu.errors import BundleError, InputError, ModelClosedError, TaskNotSupportedError
from qingyu.model.inputs import texts_of
from qingyu.model.methods import method_of
from qingyu.model.plain import plain_task
from qingyu.numbers import FloatArray
from qingyu.query import Cost, Query, Steps
from qingyu.results import SearchResult, SimilarityResult
from qingyu.tasks import registry
from qingyu.tasks.context import Context
from qingyu.tasks.drive import complete
from qingyu.taught import Taught
from qingyu.text.phrases import Phrases
from qingyu.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from qingyu.search.index import Index
    from qingyu.teach.teacher import Lesson

R = TypeVar("R")


def load(
    model: str | Path = bundle.DEFAULT,
    *,
    threads: int | None = None,
    device: str | None = None,
    gpu_memory: str | int | None = None,
    heads: Sequence[str | Path] = (),
) -> Model:
    """Load a bundle by name or folder, and with it heads that were taught, by their folders.

    `threads` sets how many CPU threads compute, for the whole process and with the first model
    loaded; without it QINGYU_THREADS, else the CPUs this process may use. `device` is `cpu`, `cuda`
    or `auto`, without it QINGYU_DEVICE, else the CPU; `gpu_memory` bounds what the model holds of a
    GPU's memory, in bytes or as `1GB`, and without it QINGYU_GPU_MEMORY.
    Raises ModelNotFoundError, BundleError and SettingsError.
    """
    where = chosen(device, gpu_memory)
    loaded = Model(bundle.read_manifest(bundle.find(model)), threads, where)
    for folder in heads:
        loaded.attach(folder)
    return loaded


class Model:
    """A bundle ready to answer. Its methods may be called from many threads.

    Every task takes a text, or a list of texts and then answers a list in the same order, with
    the parameters of its function in `qingyu.tasks`.
    """

    def __init__(
        self,
        manifest: bundle.Manifest,
        threads: int | None = None,
        device: Device | None = None,
    ) -> None:
        """Raises BundleError, PhrasesError and SettingsError."""
        self.manifest = manifest
        self.tokenizer = Tokenizer(manifest.path / bundle.TOKENIZER)
        own = manifest.phrases
        self.context = Context(
            manifest.name,
            self.tokenizer,
            manifest.heads,
            manifest.sizes.max_positions,
            embedding=manifest.embedding,
            simplified=manifest.simplified,
            phrases=(Phrases(manifest.path / own.file, self.tokenizer),) if own else (),
        )
        self._open: Network | None = Network(manifest, threads, device)

    def with_phrases(self, *memories: str | Path | Phrases, own: bool = True) -> Model:
        """The same model with further memories of phrases, files as `qingyu phrases build` makes
        them. It shares all that this one has loaded; `own=False` leaves out the memories that this
        one has. Raises PhrasesError where a file is damaged or of another tokenizer."""
        opened = [one if isinstance(one, Phrases) else Phrases(Path(one)) for one in memories]
        for memory in opened:
            memory.check(self.tokenizer)
        known = self.context.phrases if own else ()
        model = copy(self)
        model.context = replace(self.context, phrases=(*known, *opened))
        return model

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, and so of every file it lists."""
        return self.manifest.digest

    def attach(self, head: str | Path | Taught) -> str:
        """Let `classify(head=...)` use a head that was taught on this model, in place of one of
        its name; returns the name. Raises BundleError where it is another model's."""
        learnt = head if isinstance(head, Taught) else taught.read(Path(head))
        self._require(learnt)
        self.context.taught[learnt.name] = learnt
        return learnt.name

    def equipped(self, *own: Taught | Index) -> Model:
        """The same model with further heads that were taught on it and indexes built with it, each
        under its name. It shares all that this one has loaded. Raises BundleError where one is
        another model's."""
        for one in own:
            self._require(one)
        heads = {one.name: one for one in own if isinstance(one, Taught)}
        indexes = {one.name: one for one in own if not isinstance(one, Taught)}
        model = copy(self)
        model.context = replace(
            self.context,
            taught=self.context.taught | heads,
            indexes={**self.context.indexes, **indexes},
        )
        return model

    def _require(self, own: Taught | Index) -> None:
        """Raises BundleError where it is another model's."""
        if isinstance(own, Taught) and own.bundle != self.digest:
            raise BundleError(
                f"头 {own.name} 是在另一个模型上学的，请用 {self.name} 重新学习。",
                f"The head {own.name} was taught on another model; teach it on {self.name}.",
            )
        if not isinstance(own, Taught) and own.model != self.digest:
            raise BundleError(
                f"索引 {own.folder} 是用另一个模型建的，请用 {self.name} 重建。",
                f"The index {own.folder} was built with another model; build it with {self.name}.",
            )

    def teach(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        name: str = "taught",
        names: bool = True,
        add_to: str | Path | None = None,
    ) -> Lesson:
        """A head for labels of one's own, from as few as five rows each; `classify(head=name)`
        uses it at once, and `save(folder)` of what is returned keeps it. See `qingyu.teach`."""
        from qingyu.teach.teacher import teach

        lesson = teach(self, texts, labels, name=name, names=names, add_to=add_to)
        self.attach(lesson.head)
        return lesson

    @property
    def engine(self) -> str:
        """Name of the engine that computes: see `qingyu.engine.choice`."""
        return self._network.engine.name

    @property
    def batch_tokens(self) -> int:
        """Tokens that the engine takes together where nobody waits."""
        return self._network.engine.batch_tokens

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks this model can do."""
        return registry.supported(self.manifest.heads)

    @method_of(registry.FILL_MASK)
    def fill_mask(self) -> None:
        """Fill-mask 语义填空."""

    @method_of(registry.SCORE)
    def score(self) -> None:
        """Score 句子打分."""

    @method_of(registry.CHECK)
    def check(self) -> None:
        """Check 纠错."""

    @method_of(registry.ZERO_SHOT)
    def zero_shot(self) -> None:
        """Zero-shot classification 零样本分类."""

    @method_of(registry.CLASSIFICATION)
    def classify(self) -> None:
        """Text classification 文本分类."""

    @method_of(registry.RANKING)
    def rank(self) -> None:
        """Sentence ranking 语义排序."""

    @method_of(registry.TOKENS)
    def token_classification(self) -> None:
        """Token classification 序列标注, such as named entities 实体识别."""

    ner = token_classification

    @method_of(registry.FEATURES)
    def embed(self) -> None:
        """Feature extraction 句向量."""

    @method_of(registry.TEXT2TEXT)
    def text2text(self) -> None:
        """Text to text 文本生成."""

    @method_of(registry.EXERCISE)
    def exercise(self) -> None:
        """Exercise 出填空题."""

    def encode(self, texts: str | Sequence[str]) -> FloatArray:
        """Vectors of length 1, float32 [n, d], or [d] of a single text: the dot product of two is
        their cosine."""
        from . import searching

        vectors = searching.encode(self, [texts] if isinstance(texts, str) else texts)
        return vectors.reshape(-1) if isinstance(texts, str) else vectors

    def build_index(
        self, rows: Iterable[Mapping[str, Any] | str], out: str | Path, *, text: str = "text"
    ) -> Index:
        """Write an index of rows for `search`; see `qingyu.model.searching`."""
        from . import searching

        return searching.build_index(self, rows, out, text=text)

    def search(
        self, index: Index | str | Path, text: str, *, top_k: int = 5, rerank: bool = True
    ) -> SearchResult:
        """The rows of an index that answer a text; see `qingyu.tasks.search`."""
        from qingyu.search.index import Index as Opened

        opened = index if isinstance(index, Opened) else Opened(index)
        own = self.equipped(opened)
        begin = registry.SEARCH.begin
        return own.complete(begin(own.context, text, opened.name, top_k=top_k, rerank=rerank))

    @overload
    def similarity(self, text: str, text_pair: str, **parameters: Any) -> SimilarityResult: ...
    @overload
    def similarity(
        self, text: Sequence[str], text_pair: Sequence[str], **parameters: Any
    ) -> list[SimilarityResult]: ...
    def similarity(
        self, text: str | Sequence[str], text_pair: str | Sequence[str], **parameters: Any
    ) -> SimilarityResult | list[SimilarityResult]:
        """How probable it is that two texts mean the same, or that the texts of two lists do, one
        by one. Parameters: see `qingyu.tasks.similarity`."""
        begin = registry.SIMILARITY.begin
        if isinstance(text, str) and isinstance(text_pair, str):
            return self.complete(begin(self.context, text, text_pair, **parameters))
        mixed = isinstance(text, str) or isinstance(text_pair, str)
        first, second = texts_of(text), texts_of(text_pair, "text_pair")
        if mixed or len(first) != len(second):
            raise InputError(
                "text 与 text_pair 应同为字符串，或为等长的列表。",
                "text and text_pair should both be strings, or lists of one length.",
            )
        pairs = zip(first, second, strict=True)
        return self.complete_all([begin(self.context, *pair, **parameters) for pair in pairs])

    def steps(self, task: str, /, *inputs: Any, **parameters: Any) -> Steps[Any]:
        """One task on one input as a generator, to be driven here or by a scheduler.

        Raises TaskNotSupportedError where there is no such task, and InputError for parameters
        that it has not; the generator raises the rest.
        """
        if task not in registry.TASKS:
            raise TaskNotSupportedError(
                f"没有任务 {task}；可用的任务：{'、'.join(registry.TASKS)}。",
                f"No task {task}; there are: {', '.join(registry.TASKS)}.",
            )
        try:
            return registry.TASKS[task].begin(self.context, *inputs, **parameters)
        except TypeError as error:  # the body of a generator has not run yet
            raise InputError(
                f"任务 {task} 的参数不对：{error}。", f"Wrong parameters for {task}: {error}."
            ) from error

    def cost(self, task: str, /, *inputs: Any, **parameters: Any) -> Cost:
        """What `steps` with the same arguments will cost, from sizes alone; nothing for a task that
        there is not, which `steps` refuses."""
        known = registry.TASKS.get(task)
        return Cost(0, 0) if known is None else known.cost(self.context, *inputs, **parameters)

    def run(self, queries: Sequence[Query]) -> list[FloatArray]:
        """Answer queries in batches by tokens; [n positions, outputs of the head] each."""
        return self._network.run(queries)

    def run_batch(self, queries: Sequence[Query]) -> list[FloatArray]:
        """As `run`, all in one batch, which the caller has cut."""
        return self._network.run_batch(queries)

    @property
    def memory_bytes(self) -> int:
        """What the loaded bundle keeps resident, estimated: its files and the runtime's share."""
        return self._network.engine.memory_bytes

    def __call__(self, text: str | Sequence[str], *args: Any, **parameters: Any) -> Any:
        """What is plain: masks are filled; a model with one classifier, tagger or decoder asks
        that. Raises InputError where it is not plain, and what the task raises."""
        task = plain_task(self.manifest.heads, texts_of([text] if isinstance(text, str) else text))
        return getattr(self, task.method)(text, *args, **parameters)

    def __repr__(self) -> str:
        return f"<qingyu.Model {self.name}: {', '.join(self.tasks)}>"

    def close(self) -> None:
        """Let the engine go, and with it its memory; the model answers no more. A second call does
        nothing."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def _network(self) -> Network:
        if self._open is None:
            raise ModelClosedError(self.name)
        return self._open

    def complete(self, steps: Steps[R]) -> R:
        """Drive one task to its result."""
        return self.complete_all([steps])[0]

    def complete_all(self, tasks: Sequence[Steps[R]]) -> list[R]:
        """Drive many tasks to their results, in order, batching their queries together."""
        return complete(tasks, self.run)
