"""Every error Qingyu raises on purpose.

    QingyuError
    ├── InputError                what was asked for cannot be answered as sent
    │   ├── EmptyTextError        nothing to read
    │   ├── NoMaskError           fill-mask without a mask
    │   ├── TooManyMasksError     more masks than the limit
    │   └── TextTooLongError      longer than the model reads, and truncation was refused
    ├── TaskNotSupportedError     the model has no head for this task
    ├── ModelNotFoundError        no bundle of that name or at that path
    ├── BundleError               a bundle is incomplete, damaged or of another format
    ├── EngineError               computing failed: a GPU's memory did not suffice
    ├── PhrasesError              a phrase memory is damaged, or of another tokenizer
    ├── BuildError                a checkpoint cannot become a bundle
    │   ├── CheckpointError       the checkpoint itself is unreadable or inconsistent
    │   └── AgreementError        the result strays too far from its reference
    ├── SettingsError             a setting, flag or environment variable is wrong
    └── ServiceError              the service cannot take the request now
        ├── OverloadedError       the queue is full: come back after `retry_after` seconds
        ├── DeadlineError         the answer would come too late
        └── MemoryBudgetError     the model does not fit in the memory budget

An error speaks to a person: `zh` and `en` say what is wrong, where, and what to do.
`code` is stable and meant for programs.
"""

from __future__ import annotations

from typing import Any


class QingyuError(Exception):
    """Base of all errors raised on purpose; `str(error)` is both languages, Chinese first."""

    code = "error"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh = zh
        self.en = en

    def __str__(self) -> str:
        return f"{self.zh}\n{self.en}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes as it is, whatever its constructor takes."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[QingyuError], args: tuple[Any, ...], fields: dict[str, Any]
) -> QingyuError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class InputError(QingyuError):
    code = "invalid_input"


class EmptyTextError(InputError):
    code = "empty_text"

    def __init__(self) -> None:
        super().__init__("文本为空，请输入内容。", "The text is empty; send some.")


class NoMaskError(InputError):
    code = "no_mask"

    def __init__(self) -> None:
        super().__init__(
            "未找到 [MASK] 标记，请在要填的位置写上 [MASK]。",
            "No [MASK] in the text; put [MASK] where a word is wanted.",
        )


class TooManyMasksError(InputError):
    code = "too_many_masks"

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(
            f"文本中有 {found} 个空，最多 {limit} 个，请拆成几段。",
            f"The text has {found} masks, at most {limit} are taken; split it.",
        )


class TextTooLongError(InputError):
    code = "text_too_long"

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(
            f"文本有 {tokens} 个词元，最多 {limit} 个，请缩短或允许截断。",
            f"The text has {tokens} tokens, {limit} are read; shorten it or allow truncation.",
        )


class TaskNotSupportedError(QingyuError):
    code = "task_not_supported"


class ModelNotFoundError(QingyuError):
    code = "model_not_found"


class ModelClosedError(QingyuError):
    """A model is asked after `close()`."""

    code = "model_closed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"模型 {name} 已经关闭，请重新 qingyu.load()。",
            f"The model {name} is closed; load it again with qingyu.load().",
        )


class BundleError(QingyuError):
    code = "bundle_invalid"


class EngineError(QingyuError):
    code = "engine_failed"


class PhrasesError(QingyuError):
    code = "phrases_invalid"


class BuildError(QingyuError):
    code = "build_failed"


class CheckpointError(BuildError):
    code = "checkpoint_invalid"


class AgreementError(BuildError):
    code = "agreement_too_low"


class SettingsError(QingyuError):
    code = "setting_invalid"


class ServiceError(QingyuError):
    code = "service_unavailable"


class OverloadedError(ServiceError):
    code = "overloaded"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            f"服务繁忙，请在 {retry_after:.0f} 秒后重试。",
            f"The service is busy; try again in {retry_after:.0f} s.",
        )
        self.retry_after = retry_after


class DeadlineError(ServiceError):
    code = "deadline_exceeded"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"在 {seconds:g} 秒的期限内未能完成，请稍后重试或放宽期限。",
            f"Not done within its deadline of {seconds:g} s; try later or allow more time.",
        )


class MemoryBudgetError(ServiceError):
    code = "memory_budget_exceeded"
