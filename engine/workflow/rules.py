"""The rules of the checks: for each what is said, how bad it is, and a way to mend it.

An error is what the engine would refuse, ignore or get wrong for certain; a warning is what it may get wrong, or what a
reader misses. The sentences are translated; `%(name)s` is filled from the complaint's fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import N_


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its sentence, a sentence that tells a way to mend it, and whether breaking it refuses a deployment."""

    sentence: str
    mend: str
    level: str = "error"


def _error(sentence: str, mend: str) -> Rule:
    return Rule(sentence, mend)


def _warning(sentence: str, mend: str) -> Rule:
    return Rule(sentence, mend, "warning")


RULES: dict[str, Rule] = {
    # files
    "too_many_files": _error(N_("这套流程的文件太多或太大，没有检查。"), N_("删去不用的文件；一套流程最多 %(files)s 个文件、%(bytes)s MB。")),
    "too_many_complaints": _warning(N_("问题太多，只列出前 %(count)s 个。"), N_("先改列出的问题，再检查一次。")),
    "check_failed": _error(N_("检查没有做完（%(reason)s）。"), N_("撤销最近的改动再试；还不行，请告诉系统管理员。")),
    "unchecked": _error(N_("算式太多，后面的没有检查。"), N_("把重复的算式放进一个脚本任务或决策表，其他地方用它的结果。")),
    "path": _error(N_("文件名“%(path)s”不能用。"), N_("文件名用小写字母、数字和下划线，最多 120 个字符。")),
    "manifest": _error(N_("procedure.toml 缺少必要的内容，或写法不对。"), N_("写上 key、name、name_en、case_kind 和 main；case_kind 要是一种个案。")),
    "manifest_long": _error(N_("procedure.toml 里的“%(key)s”太长。"), N_("缩短到 %(most)s 个字以内。")),
    "main_missing": _error(N_("没有叫“%(name)s”的流程，个案没有地方开始。"), N_("把 procedure.toml 的 main 改成一张图里流程的 id。")),
    # reading
    "too_large": _error(N_("文件超过 2 MB。"), N_("删去图里嵌入的图片等内容，或分成几张图。")),
    "not_xml": _error(N_("文件不是完整的 XML。"), N_("从原来的软件重新导出 BPMN 2.0 文件。")),
    "encoding": _error(N_("文件的文字编码不能用。"), N_("存成 UTF-8 再导入。")),
    "doctype": _error(N_("文件里不能有 DOCTYPE。"), N_("删去 DOCTYPE 一行，再导入。")),
    "not_bpmn": _error(N_("文件不是 BPMN 图。"), N_("请导入扩展名为 .bpmn、根元素为 definitions 的 BPMN 2.0 文件。")),
    "too_many_parts": _error(N_("文件里的标签太多，没有读取。"), N_("删去不用的图形和扩展内容，或分成几张图。")),
    "too_many_elements": _error(N_("一张图最多 %(most)s 个元素。"), N_("把一部分放进另一张图，用调用活动连起来。")),
    "too_many_elements_in_all": _error(N_("一套流程最多 %(most)s 个元素。"), N_("删去不用的图，或分成两套流程。")),
    "nested": _error(N_("子流程套得太深。"), N_("最多套 %(most)s 层；把里面的放进另一张图，用调用活动连起来。")),
    "unreadable": _error(N_("图不能读取：%(reason)s"), N_("改正这一处；改不了就删去重画。")),
    "task_without_lane": _error(N_("任务不在任何泳道里，不知道由谁办。"), N_("把任务放进一条泳道，或在任务上写角色（ps:role）。")),
    # what is drawn
    "no_process": _error(N_("图里没有流程。"), N_("至少画一个带开始和结束的流程。")),
    "process_without_id": _error(N_("流程没有 id。"), N_("给流程写一个 id。")),
    "not_executable": _error(N_("流程要标为可执行（isExecutable）。"), N_("在流程的属性里勾选“可执行”。")),
    "no_id": _error(N_("元素没有 id。"), N_("给它写一个 id，用小写字母、数字和下划线。")),
    "duplicate_id": _error(N_("图里有两个元素用了同一个 id“%(id)s”。"), N_("给其中一个换一个 id。")),
    "id_in_two_files": _error(N_("id“%(id)s”在 %(other)s 里也有；整套流程里不能重复。"), N_("给其中一个换一个 id。")),
    "reserved_id": _error(N_("id“%(id)s”是引擎自己用的，请换一个。"), N_("换一个说明这一步做什么的 id。")),
    "id_long": _error(N_("id 超过 %(most)s 个字符，数据库放不下。"), N_("换一个短的 id。")),
    "id_style": _warning(N_("id“%(id)s”不是小写字母、数字和下划线。"), N_("换成这样的 id，例如 verify_report；有个案走过以后就不要再改。")),
    "path_long": _error(N_("这一步套在太多层里，数据库放不下它的位置。"), N_("缩短外面几层的 id，或少套一层。")),
    "name_long": _error(N_("名称超过 %(most)s 个字，数据库放不下。"), N_("缩短名称，其余写进说明。")),
    "name_en_long": _error(N_("英文名称超过 %(most)s 个字符，数据库放不下。"), N_("缩短英文名称，其余写进说明。")),
    "phase_long": _error(N_("阶段“%(phase)s”太长。"), N_("写成 P0 到 P11 这样的阶段。")),
    "unsupported": _error(
        N_("这里不能用“%(kind)s”，个案会停住或走错。"), N_("由人办的改成用户任务；自动做的改成服务任务或脚本任务；分岔用排他、并行或包容网关。")
    ),
    "not_run": _warning(N_("“%(kind)s”在这里不会运行。"), N_("要运行的步骤画成一个流程里的任务；不用的删去。")),
    "value_ignored": _warning(N_("“%(name)s”写的“%(value)s”不起作用。"), N_("引擎每次只走一次、每一份都等；要别的做法，用网关或完成条件画出来。")),
    "compensation": _error(N_("不能用补偿。"), N_("把要撤回的事画成单独的一步。")),
    "event_subprocess": _error(N_("不能用事件子流程；请在子流程上用边界事件。"), N_("把它改成普通子流程，从边界事件连过去。")),
    "event_unsupported": _error(
        N_("“%(kind)s”上不能用“%(name)s”事件，引擎会当作没有。"), N_("换成定时、消息、错误、升级或终止事件中这里能用的一种。")
    ),
    "several_definitions": _error(N_("一个事件只能等一件事。"), N_("拆成几个事件，各等一件。")),
    "cycle_timer": _error(N_("不能用循环定时器；周期工作由系统安排。"), N_("改成一次的时长或时刻；要反复，就从后面连回来。")),
    "message_missing": _error(N_("消息事件没有指明消息。"), N_("在事件的属性里选一个消息。")),
    "unknown_reference": _error(N_("引用的“%(name)s”不在图里。"), N_("选一个图里有的，或新建一个。")),
    "message_without_name": _error(N_("消息没有名称，引擎认不出它。"), N_("给消息写一个名称。")),
    "boundary": _error(N_("边界事件要附在一个元素上，并且只有一种触发。"), N_("把它拖到任务、子流程或调用活动的边上，选一种触发。")),
    "boundary_host": _error(N_("边界事件只能附在任务、子流程或调用活动上。"), N_("把它拖到一个任务、子流程或调用活动的边上。")),
    "boundary_entered": _error(N_("没有连线能通向边界事件。"), N_("删去通向它的连线。")),
    "error_never_comes": _warning(N_("“%(name)s”不会到这里来：里面没有抛出它的结束事件。"), N_("在里面加上抛出它的结束事件，或改成定时、消息事件。")),
    "error_unheard": _warning(
        N_("没有边界事件接住“%(name)s”，它只当作普通的结束。"), N_("在外面的子流程或调用活动上加边界事件接住它，或改成普通结束。")
    ),
    "catch_nothing": _error(N_("这个事件什么也不等，会直接通过。"), N_("选它等什么：定时或消息。")),
    "event_gateway": _error(N_("不能用事件网关；请在任务上用边界事件。"), N_("把后面的事件改成前一个任务的边界事件。")),
    "standard_loop": _error(N_("不能用标准循环；请画回头的连线。"), N_("去掉循环标记，加一个网关连回来。")),
    "script": _error(N_("图里不能有程序脚本；请用 ps:set 写算式。"), N_("删去脚本，在脚本任务上写变量和 FEEL 算式。")),
    "data_unsupported": _error(N_("不能用数据对象的连线和输入输出说明。"), N_("删去它；变量用任务的输出（ps:output）传下去。")),
    "correlation": _error(N_("不能用消息关联。"), N_("删去它；消息由个案页上的人发出，不用关联。")),
    "resources": _warning(N_("这里写的办理人不起作用；由谁办看泳道。"), N_("把任务放进这个角色的泳道，然后删去它。")),
    "foreign_setting": _warning(N_("“%(name)s”是别的软件的设置，这里不起作用。"), N_("用“转换”看能转成什么；不能转的，按它的意思在这里重新设置。")),
    "unknown_property": _warning(N_("不认识“%(name)s”，它不起作用。"), N_("看看是不是写错了；不用的删去。")),
    "dangling_flow": _error(N_("连线的一头没有连上。"), N_("把它连到两个元素上，或删去。")),
    "condition_ignored": _error(N_("条件只在网关后面的连线上有效，这里会被忽略。"), N_("在任务后面加一个排他网关，把条件放到网关后面的连线上。")),
    "default_ignored": _warning(N_("默认连线上的条件不起作用。"), N_("删去这个条件，或换一条默认连线。")),
    "unknown_default": _error(N_("默认连线“%(id)s”不是从这里出去的。"), N_("重新选一条默认连线。")),
    "not_drawn": _warning(N_("有 %(count)s 个元素没有图形，图上看不见。"), N_("在原来的软件里连同图形一起导出，或在这里删去重画。")),
    "one_start": _error(N_("每个流程要有且只有一个开始事件。"), N_("留一个开始事件，其他的删去或合并。")),
    "start_entered": _error(N_("开始事件不能有进来的连线。"), N_("把连线连到开始后面的第一步。")),
    "start_waits": _warning(N_("个案开始时还要在这里等，引擎不会由它来开始个案。"), N_("改成普通的开始事件；要等，就在后面加中间事件。")),
    "no_end": _error(N_("流程没有结束事件，个案不会结束。"), N_("在最后一步后面加一个结束事件。")),
    "end_goes_on": _error(N_("结束事件后面不能再有连线。"), N_("删去这条连线，或把结束事件改成中间的一步。")),
    "unreachable": _error(N_("从开始走不到这里，它会被丢掉。"), N_("从前面的一步连过来，或删去。")),
    "dead_end": _error(N_("走到这里就没有下一步，个案会停在这里。"), N_("连到下一步，或在后面加一个结束事件。")),
    "several_flows": _error(N_("任务后面只能有一条连线；要分岔请加网关。"), N_("在任务后面加一个网关：都要走的用并行网关，选一条的用排他网关。")),
    "no_condition": _error(N_("网关后面的连线要写条件，或设为默认。"), N_("写上条件，或把这一条设为默认。")),
    "no_default": _error(N_("网关没有默认连线：条件都不成立时个案会出错。"), N_("把一条连线设为默认。")),
    "same_condition": _warning(N_("两条连线的条件相同，位置低的一条永远走不到。"), N_("改其中一个条件。条件按目标在图上的高低，从上往下试。")),
    "always_true": _warning(N_("这个条件总是成立，图上位置更低的连线永远走不到。"), N_("把这一条设为默认连线，删去条件。")),
    "never_true": _warning(N_("这个条件永远不成立，这条连线走不到。"), N_("改条件，或删去这条连线。")),
    "join_waits_for_ever": _error(
        N_("并行汇合等的连线不会都到，个案会停在这里。"), N_("从二选一网关分出的，用排他网关汇合；从并行网关分出的，用并行网关汇合。")
    ),
    "join_may_wait": _warning(
        N_("有一种走法里，这个汇合等的连线不会都到，个案会停在这里。"), N_("让同一个网关分出的几条都汇合到这里，或在汇合之前先用排他网关合并。")
    ),
    "runs_twice": _warning(N_("并行的几条在这里没有汇合，后面的每一步会各走一次。"), N_("在这里前面加并行网关汇合。")),
    "cuts_off": _warning(N_("走到这个终止事件时，同时在办的其他步骤会被取消。"), N_("不想取消就改成普通的结束事件。")),
    "no_way_out": _error(N_("从这里走不到结束，个案会一直绕圈。"), N_("加一条通向结束的连线。")),
    "never_rests": _error(N_("这一圈里没有要人办的任务，也没有等待，引擎会转个不停。"), N_("在圈里加一个用户任务、定时或消息，或去掉回头的连线。")),
    "may_not_rest": _warning(
        N_("这一圈里没有要人办的任务，也没有等待；算式不让它停，引擎就会转个不停。"), N_("看看算式一定会让它走出来，或在圈里加一个等待。")
    ),
    "endless_prediction": _error(N_("这一圈没有网关选择，引擎会没完没了地预计下去。"), N_("在圈里加一个排他网关，决定回头还是往前。")),
    "too_branchy": _error(
        N_("并行分支一个接一个，引擎要预计 %(count)s 步；请把一部分放进调用的流程。"),
        N_("把几个并行块放进子流程或调用活动；或用多实例代替许多分支。"),
    ),
    "calls_itself": _error(N_("流程“%(name)s”会调用到自己，个案不会停。"), N_("用回头的连线代替调用自己。")),
    "parallel_writes": _warning(
        N_("“%(name)s”在并行的另一条（%(other)s）里也会设；汇合时后到的一条为准。"), N_("各用各的变量名，汇合以后再合成一个。")
    ),
    "lost_write": _warning(
        N_("“%(name)s”在分岔以前已经有值；并行的另一条（%(other)s）后到时，会用旧值盖掉这里设的值。"), N_("在这里用一个新的变量名，汇合以后再用它。")
    ),
    # the case
    "no_final_state": _error(N_("走到这里个案没有到最后的状态，结束时会出错。"), N_("在结束事件上写最后的状态：已结案、已并入、不在范围或已转类。")),
    "may_lack_final_state": _warning(N_("有一种走法走到这里，个案没有到最后的状态，结束时会出错。"), N_("在这个结束事件上写最后的状态。")),
    "ends_early": _warning(N_("到这里个案就算结束，后面的步骤没有时限，也不再显示为在办。"), N_("把这个状态写到最后的结束事件上。")),
    "unknown_state": _error(N_("没有“%(state)s”这个个案状态。"), N_("从列表里选一个状态。")),
    # who
    "unknown_role": _error(N_("泳道的 id 要是一个角色，“%(id)s”不是。"), N_("在泳道的属性里选一个角色。")),
    "unknown_role_here": _error(N_("“%(id)s”不是角色。"), N_("从列表里选一个角色。")),
    "role_cannot_work": _error(N_("“%(role)s”不能办理个案的步骤。"), N_("换一个办理个案的角色。")),
    "role_elsewhere": _warning(N_("“%(party)s”里一般没有“%(role)s”这个角色，任务会没有人领。"), N_("换一个角色，或换一方。")),
    "unknown_party": _error(
        N_("“%(party)s”不是个案的一方。"), N_("从列表里选一方：负责机构、医疗机构、乡镇、报告单位、行政部门、上一级或整改单位。")
    ),
    "item_missing": _error(N_("一方是整改事项的单位，但没有写哪一项。"), N_("写上整改事项（item），或换一方。")),
    "process_unused": _warning(N_("没有一处调用这个流程，它不会被走到。"), N_("用调用活动调用它，或删去它。")),
    "message_flow": _warning(N_("消息流只是画着看的，不会发出消息。"), N_("在两头用消息事件，或删去它。")),
    "lane_names_nothing": _warning(N_("泳道里写着“%(id)s”，图里没有这个元素。"), N_("从泳道里删去它。")),
    "exclude_nobody": _warning(N_("“不能是谁”写的是固定的值，不是哪一个人，谁也没有排除。"), N_("写成前面一步记下的人，例如在那一步输出 person。")),
    "exclude_same": _error(N_("指定办理的人正是不能办理的人。"), N_("改“指定给谁”或“不能是谁”。")),
    # what
    "no_form": _error(N_("任务没有说明用哪张表单。"), N_("在任务的属性里选一张表单。")),
    "unknown_form": _error(N_("没有叫“%(form)s”的表单。"), N_("选一张有的表单，或新建一张。")),
    "no_name": _error(N_("任务没有名称，办理的人看不懂。"), N_("写上名称：做什么。")),
    "no_english": _warning(N_("没有英文名称。"), N_("写上英文名称。")),
    "no_source": _warning(N_("没有写规则的来源。"), N_("在“依据”里写明哪个文件哪一条，例如“来源：县级规定第 6 条”。")),
    "unknown_limit": _error(N_("地方参数里没有时限“%(limit)s”。"), N_("从列表里选一个时限，或先在地方参数里加上。")),
    "unknown_value": _error(N_("地方参数里没有“%(name)s”。"), N_("改成地方参数里有的名称，或先在地方参数里加上。")),
    "unknown_fact": _warning(N_("个案没有“%(name)s”，算出来是空的。"), N_("从列表里选：kind、state、event_at、clock_start、opened_at……")),
    "unknown_service": _error(N_("没有叫“%(name)s”的服务。"), N_("从列表里选一个服务。")),
    "argument_missing": _error(N_("服务“%(service)s”缺少参数“%(name)s”。"), N_("补上这个参数。")),
    "argument_unknown": _warning(N_("服务“%(service)s”不认识参数“%(name)s”。"), N_("看看是不是写错了；不用的删去。")),
    "empty_script": _error(N_("脚本任务没有算式。"), N_("写上变量和算式，或删去这个任务。")),
    "unknown_process": _error(N_("调用的流程“%(name)s”不在这套流程里。"), N_("从列表里选一个流程，或把那张图导入进来。")),
    "no_decision": _error(N_("业务规则任务没有说明用哪个决策。"), N_("在属性里选一个决策，写上结果放进哪个变量。")),
    "message_from_nobody": _error(
        N_("没有人能发出消息“%(name)s”，这里永远等不到。"), N_("在事件上写谁可以发（ps:message），或在图里加一个发出它的事件。")
    ),
    "message_unheard": _warning(N_("没有一处等消息“%(name)s”，发出来没有用。"), N_("加一个等它的事件；要通知人，用服务任务 tell。")),
    # expressions
    "expression": _error(N_("“%(where)s”的算式写错了：%(reason)s"), N_("改正算式；写法见属性栏里的提示。")),
    "expression_sign": _error(N_("“%(where)s”的算式前面不能有等号。"), N_("删去前面的等号。")),
    "expression_missing": _error(N_("“%(where)s”没有写算式。"), N_("写上算式，或删去这一项。")),
    "unknown_name": _error(N_("“%(where)s”里的“%(name)s”没有任何一步给出。"), N_("改成前面一步给出的名称，或在前面一步加上输出。")),
    "unknown_function": _error(N_("没有叫“%(name)s”的函数。"), N_("从列表里选一个函数。")),
    "name_too_late": _warning(N_("“%(where)s”里的“%(name)s”在走到这里以前不会有值。"), N_("在走到这里必经的一步里设它，或改用别的名称。")),
    "name_perhaps_missing": _warning(
        N_("有一种走法走到这里，“%(name)s”还没有值，“%(where)s”会出错。"), N_("在开始的脚本任务里先给它一个值，例如 null。")
    ),
    "variable_name": _error(N_("变量名“%(name)s”不能用。"), N_("变量名用字母、数字和下划线，以字母开头，最多 60 个字符。")),
    "variable_shadows": _warning(N_("变量“%(name)s”和内置的名称一样，会把它盖住。"), N_("换一个变量名。")),
    "unknown_answer": _error(N_("表单“%(form)s”里没有“%(field)s”。"), N_("改成表单里有的字段，或在表单里加上它。")),
    "identity_leaves": _error(N_("“%(field)s”能认出患者，不能放进流程变量。"), N_("改用不能认出人的字段，或不输出它。")),
    "kinds_differ": _warning(
        N_("“%(where)s”里比较的是%(left)s和%(right)s，永远比不出结果。"), N_("改成同一种：日期和时间用 date(…) 变成日期，文字用 number(…) 变成数字。")
    ),
    "timer_empty": _error(N_("定时事件没有写时间。"), N_("写一个时长（如 PT72H）、一个时刻，或一个 FEEL 算式。")),
    "timer_text": _error(N_("时间“%(text)s”写法不对。"), N_("时长写成 PT72H、P2D，时刻写成 2026-03-01T17:00:00+08:00，或写 FEEL 算式。")),
    "timer_past": _warning(N_("时间“%(text)s”已经过去或为零，一到这里就触发。"), N_("改成以后的时间。")),
    "timer_far": _warning(N_("时间“%(text)s”太远，等不到。"), N_("看看单位是不是写错了：M 在 T 前是月，在 T 后是分钟。")),
    # several at once
    "several_of_what": _error(N_("多实例没有说明办几份。"), N_("写一个列表变量（loopDataInputRef），或一个份数（loopCardinality）。")),
    "several_both": _error(N_("多实例只能写列表或份数之一。"), N_("删去其中一个。")),
    "several_collection": _error(N_("多实例的列表“%(name)s”没有任何一步给出。"), N_("在前面用脚本任务设好这个列表。它只能是变量名，不能是算式。")),
    "several_count": _error(N_("多实例的份数要是 0 到 100 的整数。"), N_("改成 0 到 100，或用列表。")),
    "several_item_id": _error(N_("多实例每一份的变量名是它的 id“%(id)s”，不是名称“%(name)s”。"), N_("把 id 改成和名称一样。")),
    "several_shadows": _error(
        N_("每一份的变量“%(name)s”到这里已经有值，引擎会出错。"), N_("换一个没有用过的变量名；回头再做时，要写结果列表（loopDataOutputRef）。")
    ),
    "several_output_missing": _error(N_("每一份的结果“%(name)s”里面没有设，第一份办完就会出错。"), N_("在任务的输出里设它。")),
    "several_output_item": _warning(N_("写了结果列表“%(name)s”，没有写每一份的结果，列表会是空的。"), N_("写上每一份的结果变量（outputDataItem）。")),
    "several_output_shared": _warning(N_("结果列表“%(name)s”在“%(other)s”里也用，后做的会盖掉先做的。"), N_("各用各的列表名。")),
    "several_lost": _warning(N_("“%(name)s”在每一份里设，出来以后就没有了。"), N_("把它作为每一份的结果（outputDataItem）带出来。")),
    "several_interrupted": _warning(N_("这个边界事件会打断还没办完的几份，已有的结果都会丢掉。"), N_("改成不打断，或用完成条件。")),
    "completion_never": _warning(N_("完成条件永远不成立，要等每一份都办完。"), N_("删去完成条件，或写成例如 instances_done = 3。")),
    "completion_at_once": _warning(N_("完成条件一开始就成立，办完第一份就不再等别的。"), N_("写成例如 instances_done = 3。")),
    # forms
    "form_large": _error(N_("表单文件太大。"), N_("分成两张表单。")),
    "form_unreadable": _error(N_("表单不能使用：%(reason)s"), N_("在表单设计里改正这一处；从别处来的表单，先在表单设计里打开再存。")),
    "form_foreign": _error(N_("表单是从别处来的，还没有写名称、读者和出处。"), N_("在表单设计里打开它，写上这些，再存。")),
    "form_component": _error(N_("“%(field)s”是“%(kind)s”，这里的表单没有这一种。"), N_("换成有的一种，或删去它。")),
    "form_field_name": _error(N_("字段名“%(field)s”不能用。"), N_("字段名用小写字母、数字和下划线，以字母开头。")),
    "form_key": _error(N_("表单的 id 与文件名不同。"), N_("把表单的 id 改成文件名。")),
    "form_audience": _error(N_("表单的读者“%(audience)s”不认识。"), N_("从列表里选谁能读。")),
    "form_expression": _error(N_("表单中“%(where)s”的算式写错了：%(reason)s"), N_("改正算式；写法见属性栏里的提示。")),
    "form_name": _error(N_("表单中“%(where)s”里的“%(name)s”没有这个字段。"), N_("改成表单里有的字段名。")),
    "form_function": _error(N_("表单中“%(where)s”没有叫“%(name)s”的函数。"), N_("从列表里选一个函数。")),
    "form_other_form": _error(N_("表单中“%(where)s”用到表单“%(form)s”，没有这张表单。"), N_("改成有的表单，或导入那张表单。")),
    "form_other_field": _error(N_("表单中“%(where)s”用到“%(field)s”，表单“%(form)s”里没有它。"), N_("改成那张表单里有的字段。")),
    "form_rule_field": _error(N_("规则“%(rule)s”要说在“%(field)s”上，表单里没有它。"), N_("改成表单里有的字段。")),
    "form_rule_level": _error(N_("规则“%(rule)s”的程度要是 error 或 warning。"), N_("选“不许提交”或“提醒”。")),
    "form_rule_twice": _warning(N_("两条规则都叫“%(rule)s”。"), N_("给其中一条换一个 id。")),
    "form_answer": _error(N_("“%(part)s”指的“%(field)s”不是表单最外层的字段。"), N_("改成最外层的一个字段。")),
    "form_list": _error(N_("字段“%(field)s”用的选项表“%(list)s”没有。"), N_("从列表里选一张选项表，或写上自己的选项。")),
    "form_no_options": _error(N_("字段“%(field)s”没有选项。"), N_("选一张选项表，或写上自己的选项。")),
    "form_option_twice": _error(N_("字段“%(field)s”有两个选项的值都是“%(value)s”。"), N_("改其中一个的值。")),
    "form_pattern": _error(N_("字段“%(field)s”的格式写错了：%(reason)s"), N_("改正格式（正则表达式），或删去它。")),
    "form_identity": _error(N_("字段“%(field)s”的身份类别“%(identity)s”不认识。"), N_("选 I、Q、P、C、N 或 A。")),
    "form_check": _error(N_("不认识检查“%(name)s”。"), N_("选 no_identifiers 或 no_subject。")),
    "form_bounds": _error(N_("字段“%(field)s”的最小值比最大值大，填什么都不行。"), N_("改正最小值或最大值。")),
    "form_kinds": _warning(N_("表单中“%(where)s”比较的是%(left)s和%(right)s，永远比不出结果。"), N_("改成同一种再比较。")),
    "form_property": _warning(N_("字段“%(field)s”的“%(name)s”不认识，不起作用。"), N_("看看是不是写错了；不用的删去。")),
    "form_english": _warning(N_("“%(field)s”没有英文。"), N_("写上英文。")),
    "form_source": _warning(N_("表单没有写出处。"), N_("写上它来自哪张表或哪条规则。")),
    "form_empty": _warning(N_("表单没有要填的字段。"), N_("加上要填的字段。")),
    "form_unused": _warning(N_("没有一步用到这张表单。"), N_("在用到它的任务上选它，或删去。")),
}
