"""Errors raised by the service itself."""

from __future__ import annotations

from qingyu.errors import InputError, QingyuError, ServiceError


class ClientGoneError(ServiceError):
    """Nobody waits for this answer any more."""

    code = "client_gone"

    def __init__(self) -> None:
        super().__init__("客户端已断开。", "The client has left.")


class InferenceError(ServiceError):
    """The model failed on this input; the cause is chained, and its neighbours were spared."""

    code = "inference_failed"

    def __init__(self) -> None:
        super().__init__(
            "模型推理失败，请稍后重试。", "The model failed on this input; try again later."
        )


class RequestTooLargeError(InputError):
    """More tokens in one request than the service takes, however idle it is."""

    code = "request_too_large"

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(
            f"请求共有 {tokens} 个词元，最多 {limit} 个，请分批发送。",
            f"The request has {tokens} tokens, at most {limit} are taken; send it in parts.",
        )


class AnswerTooLargeError(InputError):
    """An answer of more bytes than the service gives, told before anything is computed."""

    code = "request_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"回答可达 {size} 字节，最多 {limit} 字节，请减少文本、空或候选。",
            f"The answer could have {size} bytes, at most {limit} are given; "
            "ask for fewer texts, masks or candidates.",
        )


class StoppingError(ServiceError):
    """The service is on its way down and takes nothing new."""

    code = "stopping"

    def __init__(self) -> None:
        super().__init__("服务正在停止。", "The service is shutting down.")


class ModelPinnedError(QingyuError):
    """The operator wants this model to stay in memory."""

    code = "model_pinned"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"模型 {name} 已被固定在内存中，不能卸载。",
            f"Model {name} is pinned in memory and cannot be unloaded.",
        )


class ItemError(QingyuError):
    """An error in one text of a request of several: says which (`index`, from 0), and keeps
    the cause's code."""

    def __init__(self, index: int, cause: QingyuError) -> None:
        super().__init__(f"第 {index + 1} 条：{cause.zh}", f"Item {index + 1}: {cause.en}")
        self.code = cause.code
        self.index = index
        self.__cause__ = cause


class PhrasesDisabledError(QingyuError):
    """The operator has set no folder for phrase memories."""

    code = "phrases_disabled"

    def __init__(self) -> None:
        super().__init__(
            "此服务没有开启短语记忆，请设置 QINGYU_PHRASES。",
            "This service keeps no phrase memories; set QINGYU_PHRASES.",
        )


class PhrasesNotFoundError(QingyuError):
    code = "phrases_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"没有名为 {name[:80]!r} 的短语记忆，可用的见 /v1/phrases。",
            f"There is no phrase memory named {name[:80]!r}; /v1/phrases lists those there are.",
        )
