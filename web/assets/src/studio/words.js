// Chinese words of the studio by the English ones: ours, and those of bpmn-js on the seed of its community's translations.
import seed from 'bpmn-js-i18n/translations/zn.js';
import diagram from 'bpmn-js-i18n-zh/lib/bpmn-js/index.js';
import panel from 'bpmn-js-i18n-zh/lib/properties-panel/index.js';

const PAGE = {
  'Procedure': '流程', 'Shared parts': '共用', 'Decision tables': '决策表', 'Forms': '表单', 'Settings': '设置', 'Scenarios': '情景',
  'changed': '已改', 'to mend': '须改', 'To mend': '须改', 'Suggestion': '建议', '{count} to mend': '{count} 项须改', '{count} suggestions': '{count} 项建议',
  'Checked {time}': '{time} 检查过', 'Not checked: {reason}': '没有检查：{reason}', 'Mend it': '改好', 'Mend it: choose': '改好：请选', 'Mend all {count}': '改好这 {count} 处', 'Not mended: {reason}': '没有改好：{reason}', '{count} mended': '改好了 {count} 处', 'Go there': '到该处',
  'Saving…': '正在存…', 'Saved {time}': '已存 {time}', 'Not saved': '没有存上', 'No connection. What you drew is kept on this device.': '连不上网络。您画的内容已存在这台设备上。',
  'Your sign-in has ended. What you drew is kept on this device.': '登录时间已过。您画的内容已存在这台设备上。',
  'You are writing': '您正在改', '{name} is writing': '{name}正在改', '{name} has taken the draft over.': '{name}已接过这份草稿。',
  'Take over and save mine': '接过来，存我画的', 'Leave mine, show theirs': '不要我画的，看对方的', 'Try again': '再试一次', 'Close': '关闭',
  'Kept on this device and never saved: {names}. The draft was changed since.': '这台设备上有没存上的改动：{names}。此后草稿又改过。',
  'Save what I drew': '存我画的', 'Throw it away': '不要了', 'There is no file {path} in this procedure.': '这套流程里没有文件 {path}。',
  '{name} could not be opened: {reason}': '{name}没有打开：{reason}', '{name} could not be drawn: {reason}': '{name}画不出来，先当文字打开：{reason}', 'no connection': '连不上网络',
  'Press the triangle at a start: a mark walks along the lines. Press an arrow at a diamond to choose its way, and a triangle at a step to go on. Nothing is saved.': '点开始圈上的三角，一个记号就沿着线走；在菱形上点箭头选走哪条，在停住的一步上点三角让它过去。什么都不保存。', 'End the simulation': '结束模拟', ' · “{label}”': '“{label}”', 'Taken away; it can be undone.': '已删去，可以撤销。', 'Nothing to undo.': '没有可以撤销的。', 'Nothing to redo.': '没有可以重做的。', 'Undone: {name}': '已撤销：{name}', 'Done again: {name}': '已重做：{name}',
};

const PROPERTIES = {
  'Name': '名称', 'English name': '英文名称', 'Id': '标识（id）', 'Text': '文字', 'Name of the procedure part': '这一部分流程的名称', 'Process': '流程', 'Phase': '阶段', 'Identify': '发现', 'Notify': '电话通知', 'Receive': '接报核重', 'Report': '报送个案', 'Verify': '核实', 'Investigate': '调查', 'Prepare': '评审准备', 'Individual opinions': '个人意见', 'Meeting': '评审会', 'Sign off': '签署', 'Upper report and feedback': '上报与反馈', 'Rectification': '整改', 'Accountability': '约谈问责', 'Closing': '结案', 'None': '无',
  'Rename with care: cases that have passed the step know it by this id.': '个案已走过的步骤改 id 会接不上；要改名请改名称。',
  'Who does it': '由谁办理', 'Role': '角色', 'Other than the lane it is drawn in.': '与所在泳道不同。', 'The lane it is drawn in.': '所在的泳道。', 'Whose queue': '在哪个单位', 'A death at home has no facility: the step would stop there. Lead such cases around it, or choose the reporting unit.': '在家中死亡的没有医疗机构，会停在这一步：先用菱形绕开，或改选“报告单位”。', 'Must not be the one who did': '不能是办过这一步的人',
  'Must not be this person (FEEL)': '不能是这个人（FEEL）', 'One person (FEEL)': '指定一个人（FEEL）', 'The id of the person; nobody else may claim it.': '这个人的 id；别人不能认领。', 'Role by expression (FEEL)': '用算式定角色（FEEL）',
  'Rectification item (FEEL)': '整改事项（FEEL）', 'Nobody is left out': '不限', '{step}': '办过“{step}”的人',
  'owner': '负责的妇幼保健机构', 'facility': '医疗机构', 'township': '乡镇', 'reporting': '报告单位', 'administration': '卫生健康行政部门', 'upper': '上一级', 'item': '整改事项的责任单位',
  'Form': '表单', 'Choose a form': '请选表单', 'Open the form': '打开表单', 'Opens with the record of': '打开时带出哪张表的内容', 'Begins empty each time': '每次从空白填起',
  'Time limit': '时限', 'Limit': '时限', 'No limit': '不限时', 'Kept in the local parameters, each area may have its own.': '取自地方参数，各地可不同。', 'The clock starts at (FEEL)': '从何时起算（FEEL）',
  'Without it: when the step is reached.': '不写时从到这一步起算。', 'Due instead of a limit (FEEL)': '不用时限，到期时刻是（FEEL）',
  'When it is late': '超时怎么办', 'Remind by a person': '加一个超时提醒：由人催办', 'Tell automatically': '加一个超时提醒：自动告知', 'Add a reminder: when the limit is up, another step begins while this one stays open.': '时限一到，另起一步提醒；这一步照常可办。',
  'Several people': '几人办', 'Once for each of a list': '名单上每人各办一次', 'How': '怎样办', 'All at once': '同时办', 'One after the other': '一个接一个办', 'For each of (a list variable)': '按哪个名单（列表变量）',
  'Called in each': '名单里的一项叫', 'Result of each (variable)': '每一项的结果（变量）', 'Results together (list variable)': '全部结果（列表变量）', 'Or how many times (FEEL)': '或办几次（FEEL）', 'Enough when (FEEL)': '怎样算够（法定人数，FEEL）',
  'Sees instances, instances_done and results: instances_done >= profile.quorum': '能用 instances、instances_done、results，如 instances_done >= profile.quorum', 'Do it once only': '只办一次',
  'Reads': '读什么', 'Writes': '写什么', 'Variable': '变量', 'Expression': '算式（FEEL）', 'from {step}': '来自“{step}”', 'Computes': '算什么',
  'Source of the rule': '依据', 'What is done, by which rule, and its source': '做什么、按哪条规定、出处', 'The same in English': '英文',
  'State of the case': '个案状态', 'From here on the case is': '到这里个案变为', 'As before': '不变', 'Starts a clock': '起动时钟', 'Meets a clock': '停下时钟',
  'Service': '服务', 'Choose a service': '请选服务', 'Give the service another value, called': '再给服务一个值，名为', 'Decision table': '决策表', 'Choose a table': '请选决策表', 'Table': '决策表', 'Open the table': '打开决策表', 'Result goes to (variable)': '结果放进变量', 'Give the table another value, called': '再给决策表一个值，名为',
  'Calls': '调用', 'Part of the procedure': '流程的哪一部分', 'Choose a part': '请选一部分', 'Open the part': '打开这一部分',
  'Timer': '定时', 'When is it': '何时', 'Choose': '请选择', 'At an instant': '到某个时刻', 'After a time': '过一段时间', 'Instant (FEEL)': '时刻（FEEL）', 'Duration (FEEL or P3D)': '多久（FEEL，或 P3D）', 'Take a limit': '用一个时限',
  'Action on the case page': '个案页上的操作', 'Name of the message': '消息的名字', 'Who may do it': '谁可以做', 'Choose a role': '请选角色', 'All roles, by their ids': '全部角色（写 id，空格隔开）', 'With the form': '填哪张表单',
  'Error': '错误', 'Escalation': '上报', 'Code': '代码', 'Condition': '条件', 'Conditions work behind exclusive and inclusive gateways only.': '条件只在排他和包容网关后面有效。', 'Remove the condition': '去掉条件',
  'Taken when no other condition holds (default)': '其他条件都不成立时走这条（默认）', 'Taken when (FEEL)': '什么时候走这条（FEEL）',
};

const DIAGRAM = {
  'Diagram. The same content is under “List”.': '流程图。同样内容见“清单”。', 'Palette': '工具', 'Tasks': '任务', 'Gateways': '网关', 'Events': '事件', 'Sub-processes': '子流程', 'Data': '数据', 'Participants': '池',
  'Create user task': '加用户任务', 'Create call activity': '加调用', 'Create timer': '加定时', 'Create text annotation': '加文字说明', 'Append user task': '接一个用户任务', 'Append timer': '接一个定时',
  'Put a step in here': '在这里加一步', 'Open minimap': '打开小地图', 'Close minimap': '收起小地图', 'Create element': '加元素', 'Append element': '接元素', 'Collaboration': '协作图', 'An id is needed.': '要有 id。', 'Small letters, digits and _, a letter first.': '用小写字母、数字和下划线，字母开头。', 'Another element has this id.': '整套流程里已有这个 id。',
  'Token Simulation': '模拟', 'No Entries': '还没有记录', 'Finished': '已结束', 'Started': '已开始', 'Focus process instance {id}': '看第 {id} 个', 'Found unsupported elements': '有不能模拟的元素', 'Not supported': '不能模拟', 'Intermediate Event': '中间事件', 'Pause Simulation': '暂停', 'Play Simulation': '继续', 'Set Sequence Flow': '选走哪条', 'Trigger Event': '触发', 'Add pause point': '在这里停', 'Remove pause point': '不在这里停', 'Toggle Simulation Log': '模拟记录', 'Play/Pause Simulation': '继续或暂停', 'Reset Simulation': '重新开始', 'Set animation speed = {label}': '快慢：{label}',
};

// What the panel calls an element: its trigger and its place.
const TRIGGERS = {
  '': '', 'Message ': '消息', 'Timer ': '定时', 'Conditional ': '条件', 'Signal ': '信号', 'Error ': '错误', 'Escalation ': '上报', 'Compensate ': '补偿', 'Cancel ': '取消',
  'Link ': '链接', 'Terminate ': '终止', 'Multiple ': '多重', 'Parallel Multiple ': '并行多重', 'Parallel ': '并行多重',
};
const PLACES = { 'Start Event': '开始事件', 'Intermediate Catch Event': '中间事件', 'Intermediate Throw Event': '中间抛出事件', 'Boundary Event': '边界事件', 'End Event': '结束事件' };
const KINDS = {
  'User Task': '用户任务', 'Service Task': '服务任务', 'Script Task': '算式任务', 'Business Rule Task': '规则任务', 'Send Task': '发送任务', 'Receive Task': '接收任务', 'Manual Task': '手工任务', 'Task': '任务',
  'Call Activity': '调用', 'Exclusive Gateway': '排他网关', 'Parallel Gateway': '并行网关', 'Inclusive Gateway': '包容网关', 'Complex Gateway': '复杂网关', 'Event Based Gateway': '事件网关',
  'Collapsed Sub Process': '子流程（收起）', 'Expanded Sub Process': '子流程（展开）', 'Event Sub Process': '事件子流程', 'Collapsed Ad Hoc Sub Process': '临时子流程（收起）', 'Expanded Ad Hoc Sub Process': '临时子流程（展开）', 'Transaction': '事务',
  'Sequence Flow': '连线', 'Default Flow': '默认连线', 'Conditional Flow': '条件连线', 'Message Flow': '消息流', 'Association': '关联', 'Lane': '泳道', 'Participant': '池', 'Text Annotation': '文字说明', 'Group': '分组',
  'Data Input': '数据输入', 'Data Output': '数据输出', 'Data Object Reference': '数据对象', 'Data Store Reference': '数据存储', 'Data Input Association': '数据输入关联', 'Data Output Association': '数据输出关联',
};
for (const [trigger, called] of Object.entries(TRIGGERS)) {
  for (const [place, name] of Object.entries(PLACES)) {
    KINDS[trigger + place] = called + name;
    KINDS[`${trigger}${place} (Non Interrupting)`] = `${called}${name}（不打断）`;
  }
}

const PARTS = {
  'Create': '加一个', 'Create new list item': '加一项', 'Delete item': '去掉这项', 'Delete': '去掉', 'Toggle list item': '展开或收起', 'Toggle section': '展开或收起', 'Section contains an error': '这一节有错', 'Section contains edits': '这一节有内容',
  'List contains {numOfItems} item': '共 {numOfItems} 项', 'List contains {numOfItems} items': '共 {numOfItems} 项', '<empty>': '（空）', 'FEEL expression is mandatory': '要写 FEEL 算式', 'Unparsable FEEL expression.': '算式读不懂。',
  'Click to set a dynamic value with FEEL expression': '改用 FEEL 算式', 'Click to remove dynamic value with FEEL expression': '不用 FEEL 算式', 'Open pop-up editor': '在大窗口里写', 'Opened in editor': '正在大窗口里写', 'JSON contains errors': 'JSON 有错', 'Open documentation': '打开说明',
  'Boundary event': '边界事件', 'Ad-hoc sub-process': '临时子流程', 'Event based instantiating Gateway': '事件网关（起动）', 'Parallel Event based instantiating Gateway': '并行事件网关（起动）', 'Expanded pool/participant': '池（展开）', 'Empty pool/participant': '池（空）',
  'Remove': '去掉', 'Change element': '换一种', 'Connect to other element': '连到别的元素', 'Add text annotation': '加文字说明', 'Append end event': '接结束事件', 'Append gateway': '接网关', 'Create gateway': '加网关', 'Create start event': '加开始事件', 'Create end event': '加结束事件',
  'Create expanded sub-process': '加子流程', 'Create pool/participant': '加池', 'Activate hand tool': '移动画布', 'Activate lasso tool': '框选', 'Activate create/remove space tool': '留出或收回空处', 'Activate global connect tool': '连线',
  'User task': '用户任务', 'Service task': '服务任务', 'Script task': '算式任务', 'Business rule task': '规则任务', 'Call activity': '调用', 'Sub-process (collapsed)': '子流程（收起）', 'Sub-process (expanded)': '子流程（展开）', 'Exclusive gateway': '排他网关', 'Parallel gateway': '并行网关', 'Inclusive gateway': '包容网关',
  'Add lane above': '在上面加泳道', 'Add lane below': '在下面加泳道', 'Divide into two lanes': '分成两条泳道', 'Divide into three lanes': '分成三条泳道', 'Parallel multi-instance': '名单上每人各办一次，同时办', 'Sequential multi-instance': '名单上每人各办一次，一个接一个', 'Toggle non-interrupting': '打断或不打断',
};

/** Own words win over the seed, whose lanes are called otherwise. */
export const WORDS = {
  ...Object.fromEntries(Object.entries({ ...seed, ...panel, ...diagram }).map(([words, text]) => [words, text.replaceAll('通道', '泳道').replace(/ ?\(非中断\)/, '（不打断）').replaceAll('升级', '上报')])),
  ...KINDS, ...PARTS, ...PAGE, ...PROPERTIES, ...DIAGRAM,
};
