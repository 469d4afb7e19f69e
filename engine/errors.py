"""What can go wrong: facts. Each carries the sentence a person reads; `fields` fill its places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from engine.forms import Finding


def N_(sentence: str) -> str:  # noqa: N802
    """Mark a sentence for translation."""
    return sentence


class EngineError(Exception):
    """The command changed nothing; the sentence says why."""

    sentence: ClassVar[str] = N_("这一步没有完成。")

    def __init__(self, **fields: Any) -> None:
        super().__init__(self.sentence)
        self.fields = fields


class NotFound(EngineError):
    """What is not there and what is not visible look the same."""

    sentence = N_("这里没有内容。地址可能不完整，或这个个案不在您的辖区。")


class NotAllowed(EngineError):
    """The person's roles do not include this."""

    sentence = N_("您的角色不办理这一项。")


class Recused(EngineError):
    """The person is recused from what they ask for."""

    sentence = N_("您对这个个案已经回避，资料已收回。")


class WorkItemNotOpen(EngineError):
    """Somebody else finished the work item, or the case went another way."""

    sentence = N_("这项任务已经办结，您这边没有提交，所写内容留在草稿里。")
    by_whom: ClassVar[str] = N_("%(name)s已在 %(time)s 提交。您这边没有提交，所写内容留在草稿里。")


class WorkItemTaken(EngineError):
    """Somebody else has claimed the work item."""

    sentence = N_("%(name)s已经认领了这项任务。")


class FourEyes(EngineError):
    """The person did the step that this one checks."""

    sentence = N_("前一步是您办的，这一步要由另一个人来做。")


class FormInvalid(EngineError):
    """Answers that cannot be true; `findings` name their fields."""

    sentence = N_("还不能提交：有 %(count)s 处需要改。")

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(count=len(findings))
        self.findings = list(findings)


class DraftOutdated(EngineError):
    """The draft was changed elsewhere since the page was opened."""

    sentence = N_("这份草稿在别处改过。请核对后再提交。")


class DraftLocked(EngineError):
    """Somebody else writes the draft of this procedure now."""

    sentence = N_("%(name)s正在改这套流程，您这边没有保存。可以接手后再存。")


class FileUnfit(EngineError):
    """A file that no procedure can have."""

    sentence = N_("文件“%(name)s”不能用：名称或种类不对、已损坏，或超过 2 MB。")


class ApprovalNeeded(EngineError):
    """The profile asks for a second person's verdict on a version before it is activated."""

    sentence = N_("这一版还没有由第二个人批准，不能启用。")


class CaseOnHold(EngineError):
    """Work rests while a case is on hold; its clocks do not."""

    sentence = N_("个案暂缓中。恢复办理后才能提交；所写内容留在草稿里。")


class CaseEnded(EngineError):
    """The case is closed, merged, converted or out of scope."""

    sentence = N_("个案已经结束。")


class CaseChanged(EngineError):
    """Another command changed the case at the same moment."""

    sentence = N_("个案刚刚有了变化，请再试一次。")


class NotNow(EngineError):
    """The case does not wait for this now."""

    sentence = N_("个案现在不在可以这样做的步骤。")


class StepFailed(EngineError):
    """The workflow could not take the step; an incident was written and the draft is kept."""

    sentence = N_("系统没能完成这一步。个案没有改变，您的草稿还在。事件编号 %(number)s。")

    def __init__(self, *, element: str | None, reason: str, **fields: Any) -> None:
        super().__init__(**{"number": "", **fields})
        self.element, self.reason = element, reason


class CannotFollow(EngineError):
    """A running case cannot go on under another version; `plan` says what stands in the way."""

    sentence = N_("这个个案不能转到这一版。个案没有改变。")

    def __init__(self, plan: Any) -> None:
        super().__init__()
        self.plan = plan


class InvalidInput(EngineError):
    """A value that no honest page sends."""

    sentence = N_("提交的内容不完整，请重新打开页面。")


class ClockStartInFuture(EngineError):
    """A clock cannot start later than now."""

    sentence = N_("时间不能晚于现在。")


class Deployment(EngineError):
    """The procedure is not fit to deploy; `complaints` name their elements."""

    sentence = N_("流程不能部署：有 %(count)s 处问题。")

    def __init__(self, complaints: Sequence[Any]) -> None:
        super().__init__(count=len(complaints))
        self.complaints = list(complaints)

    def __str__(self) -> str:
        return "\n".join(str(complaint) for complaint in self.complaints)
