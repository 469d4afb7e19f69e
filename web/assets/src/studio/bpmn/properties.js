// What a step says of itself: our own properties (bpmn/README.md), shown beside the canvas in groups that an administrator knows.
import {
  CheckboxEntry, FeelEntry, FeelLanguageContext, Group, ListGroup, SelectEntry, TextAreaEntry, TextFieldEntry,
  isCheckboxEntryEdited, isFeelEntryEdited, isSelectEntryEdited, isTextAreaEntryEdited, isTextFieldEntryEdited,
} from '@bpmn-io/properties-panel';
import { jsx, jsxs } from '@bpmn-io/properties-panel/preact/jsx-runtime';
import { useService } from 'bpmn-js-properties-panel';
import { is, isAny } from 'bpmn-js/lib/util/ModelUtil';
import { named, snake } from './drawing.js';

const PARTIES = ['owner', 'facility', 'township', 'reporting', 'administration', 'upper', 'item'];
const PHASES = ['Identify', 'Notify', 'Receive', 'Report', 'Verify', 'Investigate', 'Prepare', 'Individual opinions', 'Meeting', 'Sign off', 'Upper report and feedback', 'Rectification', 'Accountability', 'Closing'].map((name, number) => [`P${number}`, name]);
const ID = /^[a-z][a-z0-9_]*$/;

// ── the parts of a group: each is given `get` and `set` and knows nothing of diagrams ──

function Text(props) {
  const debounce = useService('debounceInput');
  return jsx(TextFieldEntry, { ...props, getValue: () => props.get() ?? '', setValue: (value, error) => error || props.set(value || undefined), debounce });
}

function Area(props) {
  const debounce = useService('debounceInput');
  return jsx(TextAreaEntry, { ...props, rows: 3, autoResize: true, getValue: () => props.get() ?? '', setValue: (value) => props.set(value || undefined), debounce });
}

function Choice(props) {
  return jsx(SelectEntry, { ...props, getValue: () => props.get() ?? '', setValue: (value) => props.set(value || undefined), getOptions: () => props.options });
}

function Check(props) {
  return jsx(CheckboxEntry, { ...props, getValue: () => Boolean(props.get()), setValue: props.set });
}

/** FEEL as our attributes hold it: without the `=` that the editor wants in front. */
function Feel(props) {
  const debounce = useService('debounceInput');
  const studio = useService('config.studio');
  const translate = useService('translate');
  const get = () => { const bare = props.get(); return bare === undefined || bare === '' ? undefined : `=${bare}`; };
  const set = (value) => props.set(value?.replace(/^=/, '').trim() || undefined);
  return jsx(FeelLanguageContext.Provider, {
    value: studio.feel(),
    children: jsx(FeelEntry, { ...props, feel: 'required', getValue: get, setValue: set, debounce, translate, variables: studio.variables(props.extra) }),
  });
}

function Note(props) {
  return jsx('div', { class: 'bio-properties-panel-entry st-note', 'data-entry-id': props.id, children: props.text });
}

function Buttons(props) {
  return jsx('div', {
    class: 'bio-properties-panel-entry st-buttons', 'data-entry-id': props.id,
    children: props.buttons.map(({ label, act, href }) => (href
      ? jsx('a', { class: 'btn btn-s', href, onClick: (event) => { event.preventDefault(); act(); }, children: label })
      : jsx('button', { type: 'button', class: 'btn btn-s', disabled: props.disabled, onClick: act, children: label }))),
  });
}

function Names(props) {
  return jsxs('dl', { class: 'bio-properties-panel-entry st-names', 'data-entry-id': props.id, children: props.rows.flatMap(([term, text]) => [jsx('dt', { children: term }), jsx('dd', { children: text })]) });
}

const EDITED = new Map([
  [Text, isTextFieldEntryEdited], [Area, isTextAreaEntryEdited], [Choice, isSelectEntryEdited], [Check, isCheckboxEntryEdited], [Feel, isFeelEntryEdited],
]);

// ── the provider ──

export class Properties {
  static $inject = ['propertiesPanel', 'injector', 'translate', 'config.studio', 'modeling', 'bpmnFactory', 'moddle', 'commandStack', 'elementRegistry', 'eventBus'];

  constructor(propertiesPanel, injector, translate, studio, modeling, bpmnFactory, moddle, commandStack, elementRegistry, eventBus) {
    Object.assign(this, { injector, translate, studio, modeling, bpmnFactory, moddle, commandStack, registry: elementRegistry, eventBus });
    propertiesPanel.registerProvider(500, this);
    this.made = new Set(); // ids of what was drawn since the file was opened, as long as they are the editor's own
    eventBus.on('commandStack.shape.create.postExecuted', ({ context }) => { this.made.add(context.shape.id); }); // an answer would stop the event
    commandStack.registerHandler('studio.several', class {
      preExecute({ act }) { act(); }
    });
  }

  getGroups(element) {
    return (groups) => [...groups, ...this._groups(element)].filter(Boolean);
  }

  /** Do several things that one undo takes back. */
  together(act) {
    this.commandStack.execute('studio.several', { act });
  }

  _groups(element) {
    const own = element.businessObject;
    if (!own || element.type === 'label') return [];
    if (is(own, 'bpmn:Collaboration')) {
      // Nothing is selected: the panel tells of the part of the procedure that is drawn.
      const pool = this.registry.find((entry) => is(entry, 'bpmn:Participant') && entry.businessObject.processRef);
      return pool ? [this._name(pool, pool.businessObject), this._source(pool, pool.businessObject)] : [];
    }
    const timer = definition(own, 'bpmn:TimerEventDefinition');
    return [
      this._name(element, own),
      is(own, 'bpmn:UserTask') && this._who(element, own),
      is(own, 'bpmn:UserTask') && this._form(element),
      is(own, 'bpmn:UserTask') && this._limit(element),
      isAny(own, ['bpmn:UserTask', 'bpmn:CallActivity', 'bpmn:SubProcess']) && this._reminder(element, own),
      is(own, 'bpmn:ScriptTask') && this._pairs(element, 'sets', 'Computes', 'ps:Set', 'Variable', 'Expression'),
      is(own, 'bpmn:ServiceTask') && this._service(element),
      is(own, 'bpmn:BusinessRuleTask') && this._decision(element),
      is(own, 'bpmn:CallActivity') && this._call(element, own),
      timer && this._timer(element, timer),
      definition(own, 'bpmn:MessageEventDefinition') && this._message(element, own),
      definition(own, 'bpmn:ErrorEventDefinition') && this._code(element, own, 'bpmn:ErrorEventDefinition', 'errorRef', 'bpmn:Error', 'errorCode', 'Error'),
      definition(own, 'bpmn:EscalationEventDefinition') && this._code(element, own, 'bpmn:EscalationEventDefinition', 'escalationRef', 'bpmn:Escalation', 'escalationCode', 'Escalation'),
      is(own, 'bpmn:SequenceFlow') && this._condition(element, own),
      isAny(own, ['bpmn:UserTask', 'bpmn:CallActivity', 'bpmn:SubProcess', 'bpmn:ScriptTask', 'bpmn:ServiceTask', 'bpmn:BusinessRuleTask']) && this._several(element, own),
      (is(own, 'bpmn:UserTask') || (definition(own, 'bpmn:MessageEventDefinition') && is(own, 'bpmn:CatchEvent')))
        && this._pairs(element, 'outputs', 'Writes', 'ps:Output', 'Variable', 'Expression', ['answers', 'person', 'record']),
      is(own, 'bpmn:FlowNode') && this._reads(element),
      isAny(own, ['bpmn:FlowNode', 'bpmn:Process', 'bpmn:Participant']) && this._source(element, own),
      is(own, 'bpmn:FlowNode') && this._state(element, own),
      is(own, 'bpmn:FlowNode') && this._clocks(element, 'arms', 'Starts a clock', 'ps:Arm'),
      is(own, 'bpmn:FlowNode') && this._clocks(element, 'meets', 'Meets a clock', 'ps:Meet'),
    ];
  }

  // ── groups ──

  _name(element, own) {
    const t = this.translate;
    const of = is(own, 'bpmn:Participant') ? own.processRef : own;
    const entries = [];
    if (is(own, 'bpmn:TextAnnotation')) {
      entries.push(this._entry(Area, 'text', t('Text'), () => own.text, (value) => this.modeling.updateProperties(element, { text: value })));
    } else if (is(own, 'bpmn:Lane')) {
      entries.push(this._entry(Choice, 'lane-role', t('Role'), () => own.id.split('.')[0], (role) => this._laneRole(element, role), { options: this._roles() }));
      entries.push(this._entry(Text, 'name', t('Name'), () => own.name, (value) => this.modeling.updateProperties(element, { name: value })));
    } else {
      entries.push(this._entry(Text, 'name', t('Name'), () => own.name, (value) => this.modeling.updateProperties(element, { name: value })));
      if (of) entries.push(this._entry(Text, 'name_en', t('English name'), () => of.get('ps:name_en'), (value) => this._nameEnglish(element, of, value)));
      if (of && of !== own) entries.push(this._entry(Text, 'process-name', t('Name of the procedure part'), () => of.name, (value) => this._update(element, of, { name: value })));
    }
    entries.push(this._entry(Text, 'id', t('Id'), () => own.id, (value) => { this.made.delete(element.id); this.modeling.updateProperties(element, { id: value }); }, {
      description: is(own, 'bpmn:FlowNode') ? t('Rename with care: cases that have passed the step know it by this id.') : undefined,
      validate: (value) => this._idProblem(own, value), disabled: is(own, 'bpmn:Lane') || this.studio.readOnly,
    }));
    if (of && of !== own) entries.push(this._entry(Note, 'process', '', undefined, undefined, { text: `${t('Process')} ${of.id}` }));
    if (is(own, 'bpmn:Activity')) {
      entries.push(this._entry(Choice, 'phase', t('Phase'), () => own.get('ps:phase'), (value) => this.modeling.updateProperties(element, { 'ps:phase': value }), {
        options: options([['', t('None')], ...PHASES.map(([phase, name]) => [phase, `${phase} ${t(name)}`])], own.get('ps:phase')),
      }));
    }
    return this._group('names', 'Name', entries, true);
  }

  _who(element, own) {
    const t = this.translate;
    const lane = laneOf(element);
    const laneRole = lane?.id.split('.')[0];
    return this._group('who', 'Who does it', [
      this._entry(Choice, 'role', t('Role'), () => own.get('ps:role') ?? laneRole, (role) => this._chooseRole(element, role, laneRole), {
        options: options(this._roles().map(({ value, label }) => [value, label]), own.get('ps:role') ?? laneRole),
        description: own.get('ps:role') ? t('Other than the lane it is drawn in.') : t('The lane it is drawn in.'),
      }),
      this._task(Choice, element, 'organisation', t('Whose queue'), {
        options: options([['', t('owner')], ...PARTIES.map((party) => [party, this._party(party)])], this._ext(element, 'ps:Task')?.organisation),
        description: this._ext(element, 'ps:Task')?.organisation === 'facility' ? t('A death at home has no facility: the step would stop there. Lead such cases around it, or choose the reporting unit.') : undefined,
      }),
      this._entry(Choice, 'exclude-step', t('Must not be the one who did'), () => this._excluded(element), (value) => this._exclude(element, value), { options: this._doers(element) }),
      this._task(Feel, element, 'exclude', t('Must not be this person (FEEL)')),
      this._task(Feel, element, 'person', t('One person (FEEL)'), { description: t('The id of the person; nobody else may claim it.') }),
      this._task(Feel, element, 'role', t('Role by expression (FEEL)')),
      this._task(Feel, element, 'item', t('Rectification item (FEEL)')),
    ], true);
  }

  _form(element) {
    const t = this.translate;
    const task = this._ext(element, 'ps:Task');
    const forms = (this.studio.names().forms ?? []).map((form) => [form.key, this._either(form.title, form.title_en) || form.key]);
    return this._group('form', 'Form', [
      this._task(Choice, element, 'form', t('Form'), { options: options([['', t('Choose a form')], ...forms], task?.form) }),
      task?.form && this._entry(Buttons, 'open-form', '', undefined, undefined, {
        buttons: [{ label: t('Open the form'), href: this.studio.link(`forms/${task.form}.json`), act: () => this.studio.go(`forms/${task.form}.json`) }],
      }),
      this._task(Choice, element, 'shows', t('Opens with the record of'), { options: options([['', t('None')], ...forms], task?.shows) }),
      this._entry(Check, 'fresh', t('Begins empty each time'), () => this._ext(element, 'ps:Task')?.fresh === 'true', (value) => this._setExt(element, 'ps:Task', { fresh: value ? 'true' : undefined })),
    ], true);
  }

  _limit(element) {
    const t = this.translate;
    const task = this._ext(element, 'ps:Task');
    return this._group('limit', 'Time limit', [
      this._task(Choice, element, 'limit', t('Limit'), { options: this._limits(task?.limit), description: t('Kept in the local parameters, each area may have its own.') }),
      this._limitNote(task?.limit),
      this._task(Feel, element, 'from', t('The clock starts at (FEEL)'), { description: t('Without it: when the step is reached.') }),
      this._task(Feel, element, 'due', t('Due instead of a limit (FEEL)')),
    ]);
  }

  _reminder(element, own) {
    const t = this.translate;
    const there = (element.attachers ?? []).filter((entry) => definition(entry.businessObject, 'bpmn:TimerEventDefinition'));
    const kinds = [{ label: t('Remind by a person'), act: () => this._addReminder(element, 'person') }, { label: t('Tell automatically'), act: () => this._addReminder(element, 'service') }];
    return this._group('escalation', 'When it is late', [
      ...there.map((entry, index) => this._entry(Buttons, `reminder-${index}`, '', undefined, undefined, {
        buttons: [{ label: `${entry.businessObject.name || entry.id}`, act: () => this.injector.get('selection').select(entry) }],
      })),
      this._entry(Note, 'reminder-note', '', undefined, undefined, { text: t('Add a reminder: when the limit is up, another step begins while this one stays open.') }),
      this._entry(Buttons, 'reminder', '', undefined, undefined, { buttons: kinds }),
    ]);
  }

  _several(element, own) {
    const t = this.translate;
    const loop = own.loopCharacteristics;
    const set = (values) => this._update(element, loop, values);
    if (!loop || !is(loop, 'bpmn:MultiInstanceLoopCharacteristics')) {
      return this._group('several', 'Several people', [
        this._entry(Buttons, 'several', '', undefined, undefined, {
          buttons: [{ label: t('Once for each of a list'), act: () => this._addLoop(element) }],
        }),
      ]);
    }
    const item = (side) => loop[side]?.get('name') ?? loop[side]?.id;
    const setItem = (side, type) => (value) => {
      if (!value) return set({ [side]: undefined });
      const entry = this.moddle.create(type, { id: value, name: value });
      entry.$parent = loop;
      return set({ [side]: entry });
    };
    return this._group('several', 'Several people', [
      this._entry(Choice, 'sequential', t('How'), () => (loop.isSequential ? 'true' : 'false'), (value) => set({ isSequential: value === 'true' }), {
        options: options([['false', t('All at once')], ['true', t('One after the other')]]),
      }),
      this._entry(Text, 'collection', t('For each of (a list variable)'), () => loop.loopDataInputRef?.id, (value) => set({ loopDataInputRef: named(value) })),
      this._entry(Text, 'instance', t('Called in each'), () => item('inputDataItem'), setItem('inputDataItem', 'bpmn:DataInput')),
      this._entry(Text, 'result', t('Result of each (variable)'), () => item('outputDataItem'), setItem('outputDataItem', 'bpmn:DataOutput')),
      this._entry(Text, 'results', t('Results together (list variable)'), () => loop.loopDataOutputRef?.id, (value) => set({ loopDataOutputRef: named(value) })),
      this._entry(Feel, 'cardinality', t('Or how many times (FEEL)'), () => loop.loopCardinality?.body, (value) => set({ loopCardinality: this._formal(value, loop) })),
      this._entry(Feel, 'completion', t('Enough when (FEEL)'), () => loop.completionCondition?.body, (value) => set({ completionCondition: this._formal(value, loop) }), {
        description: t('Sees instances, instances_done and results: instances_done >= profile.quorum'), extra: ['instances', 'instances_done', 'results'],
      }),
      this._entry(Buttons, 'several-off', '', undefined, undefined, { buttons: [{ label: t('Do it once only'), act: () => this.modeling.updateProperties(element, { loopCharacteristics: undefined }) }] }),
    ], true);
  }

  _reads(element) {
    const names = this._readNames(element);
    if (!names.length) return undefined;
    return this._group('reads', 'Reads', [this._entry(Names, 'reads', '', undefined, undefined, { rows: names })]);
  }

  _source(element, own) {
    const t = this.translate;
    const of = is(own, 'bpmn:Participant') ? own.processRef : own;
    if (!of) return undefined;
    return this._group('source', 'Source of the rule', [
      this._entry(Area, 'documentation', t('What is done, by which rule, and its source'), () => of.get('documentation')[0]?.text, (value) => this._documentation(element, of, value)),
      this._entry(Area, 'documentation_en', t('The same in English'), () => this._ext(element, 'ps:Documentation_en', of)?.text, (value) => (value
        ? this._setExt(element, 'ps:Documentation_en', { text: value }, of)
        : this._removeExt(element, this._ext(element, 'ps:Documentation_en', of), of))),
    ]);
  }

  _state(element, own) {
    const t = this.translate;
    const states = (this.studio.names().states ?? []).map((state) => [state.value ?? state.key ?? state, this._either(state.name, state.name_en) || state]);
    return this._group('state', 'State of the case', [
      this._entry(Choice, 'state', t('From here on the case is'), () => own.get('ps:state'), (value) => this.modeling.updateProperties(element, { 'ps:state': value }), {
        options: options([['', t('As before')], ...states], own.get('ps:state')),
      }),
    ]);
  }

  _clocks(element, id, label, type) {
    const t = this.translate;
    return this._list(id, label, element, type, (entry) => this._limitName(entry.limit) || t('Limit'), (entry, prefix) => [
      this._entry(Choice, `${prefix}-limit`, t('Limit'), () => entry.limit, (value) => this._update(element, entry, { limit: value }), { options: this._limits(entry.limit) }),
      type === 'ps:Arm' && this._entry(Feel, `${prefix}-from`, t('The clock starts at (FEEL)'), () => entry.from, (value) => this._update(element, entry, { from: value }), { extra: ['answers', 'person', 'record'] }),
    ]);
  }

  _pairs(element, id, label, type, first, second, extra) {
    const t = this.translate;
    return this._list(id, label, element, type, (entry) => entry.variable || t('Variable'), (entry, prefix) => [
      this._entry(Text, `${prefix}-variable`, t(first), () => entry.variable, (value) => this._update(element, entry, { variable: value })),
      this._entry(Feel, `${prefix}-expression`, t(second), () => entry.expression, (value) => this._update(element, entry, { expression: value }), { extra }),
    ], true);
  }

  _service(element) {
    const t = this.translate;
    const service = this._ext(element, 'ps:Service');
    const services = this.studio.names().services ?? [];
    const known = services.find(({ name }) => name === service?.name);
    const wanted = (known?.arguments ?? []).map((argument) => (typeof argument === 'string' ? { name: argument } : argument));
    const given = service?.get('arguments') ?? [];
    const all = [...wanted, ...given.filter(({ name }) => !wanted.some((entry) => entry.name === name)).map(({ name }) => ({ name }))];
    return this._group('service', 'Service', [
      this._entry(Choice, 'service', t('Service'), () => service?.name, (value) => this._setExt(element, 'ps:Service', { name: value }), {
        options: options([['', t('Choose a service')], ...services.map(({ name, title }) => [name, title || name])], service?.name), description: known?.text,
      }),
      ...all.map(({ name, text, optional }) => this._entry(Feel, `argument-${name}`, name, () => given.find((entry) => entry.name === name)?.expression,
        (value) => this._setChild(element, 'ps:Service', 'arguments', 'ps:Argument', name, value), { description: text })),
      service?.name && this._entry(Text, 'new-argument', t('Give the service another value, called'), () => '', (name) => name && this._setChild(element, 'ps:Service', 'arguments', 'ps:Argument', name, 'null')),
    ], true);
  }

  _decision(element) {
    const t = this.translate;
    const decision = this._ext(element, 'ps:Decision');
    const tables = this.studio.names().decisions ?? [];
    const given = decision?.get('inputs') ?? [];
    const wanted = tables.find(({ key }) => key === decision?.decision)?.inputs?.[decision?.name] ?? [];
    const all = [...given, ...wanted.filter((name) => !given.some((entry) => entry.name === name)).map((name) => ({ name }))];
    const rows = tables.flatMap(({ key, decisions = [] }) => (decisions.length ? decisions.map((name) => [`${key}#${name}`, decisions.length > 1 ? `${key}：${name}` : name]) : [[`${key}#`, key]]));
    const path = decision?.decision && `decisions/${decision.decision}.dmn`;
    const value = decision && `${decision.decision ?? ''}#${decision.name ?? ''}`;
    const choose = (chosen) => {
      const [key, name] = (chosen ?? '').split('#');
      this._setExt(element, 'ps:Decision', { decision: key || undefined, name: name || undefined });
    };
    return this._group('decision', 'Decision table', [
      this._entry(Choice, 'decision', t('Table'), () => value, choose, {
        options: options([['', t('Choose a table')], ...rows], value === '#' ? undefined : value),
      }),
      path && this._entry(Buttons, 'open-table', '', undefined, undefined, { buttons: [{ label: t('Open the table'), href: this.studio.link(path), act: () => this.studio.go(path) }] }),
      this._entry(Text, 'result', t('Result goes to (variable)'), () => decision?.result, (entry) => this._setExt(element, 'ps:Decision', { result: entry })),
      ...all.map(({ name }) => this._entry(Feel, `input-${name}`, name, () => given.find((entry) => entry.name === name)?.expression,
        (entry) => this._setChild(element, 'ps:Decision', 'inputs', 'ps:Input', name, entry))),
      this._entry(Text, 'new-input', t('Give the table another value, called'), () => '', (name) => name && this._setChild(element, 'ps:Decision', 'inputs', 'ps:Input', name, name)),
    ], true);
  }

  _call(element, own) {
    const t = this.translate;
    const processes = this.studio.names().processes ?? [];
    const file = processes.find(({ id }) => id === own.calledElement)?.file;
    return this._group('call', 'Calls', [
      this._entry(Choice, 'called', t('Part of the procedure'), () => own.calledElement, (value) => this.modeling.updateProperties(element, { calledElement: value }), {
        options: options([['', t('Choose a part')], ...processes.map(({ id, name, name_en }) => [id, this._either(name, name_en) || id])], own.calledElement),
      }),
      own.calledElement && this._entry(Buttons, 'open-called', '', undefined, undefined, {
        buttons: [{ label: t('Open the part'), act: () => this.studio.go(file ?? `shared/${own.calledElement}.bpmn`), href: this.studio.link(file ?? `shared/${own.calledElement}.bpmn`) }],
      }),
    ], true);
  }

  _timer(element, timer) {
    const t = this.translate;
    const kind = timer.timeDate ? 'timeDate' : timer.timeDuration ? 'timeDuration' : timer.timeCycle ? 'timeCycle' : '';
    const kinds = [['timeDate', t('At an instant')], ['timeDuration', t('After a time')]];
    const set = (side, body) => this._update(element, timer, { timeDate: undefined, timeDuration: undefined, timeCycle: undefined, [side]: this._formal(body ?? '', timer) });
    return this._group('timer', 'Timer', [
      this._entry(Choice, 'timer-kind', t('When is it'), () => kind, (value) => set(value ?? 'timeDate', timer[kind]?.body), { options: options([['', t('Choose')], ...kinds], kind) }),
      kind && this._entry(Feel, 'timer-value', t(kind === 'timeDate' ? 'Instant (FEEL)' : 'Duration (FEEL or P3D)'), () => timer[kind]?.body, (value) => set(kind, value), {
        description: kind === 'timeDate' ? 'due("case_report", case.clock_start)' : 'duration("P3D")',
      }),
      this._entry(Choice, 'timer-limit', t('Take a limit'), () => /^due\("([^"]+)"/.exec(timer.timeDate?.body ?? '')?.[1], (value) => value && set('timeDate', `due("${value}", now())`), {
        options: this._limits(/^due\("([^"]+)"/.exec(timer.timeDate?.body ?? '')?.[1]),
      }),
    ], true);
  }

  _message(element, own) {
    const t = this.translate;
    const event = definition(own, 'bpmn:MessageEventDefinition');
    const message = this._ext(element, 'ps:Message');
    const role = (message?.role ?? '').split(' ')[0];
    const forms = (this.studio.names().forms ?? []).map((form) => [form.key, this._either(form.title, form.title_en) || form.key]);
    return this._group('message', 'Action on the case page', [
      this._entry(Text, 'message-name', t('Name of the message'), () => event.messageRef?.name, (value) => this._root(element, event, 'messageRef', 'bpmn:Message', value, { name: value })),
      this._entry(Choice, 'message-role', t('Who may do it'), () => role, (value) => this._setExt(element, 'ps:Message', { role: value }), { options: options([['', t('Choose a role')], ...this._roles().map((entry) => [entry.value, entry.label])], role) }),
      this._entry(Text, 'message-roles', t('All roles, by their ids'), () => message?.role, (value) => this._setExt(element, 'ps:Message', { role: value })),
      this._entry(Choice, 'message-form', t('With the form'), () => message?.form, (value) => this._setExt(element, 'ps:Message', { form: value }), { options: options([['', t('None')], ...forms], message?.form) }),
    ], true);
  }

  _code(element, own, type, side, rootType, code, label) {
    const event = definition(own, type);
    return this._group(side, label, [
      this._entry(Text, code, this.translate('Code'), () => event[side]?.[code] ?? event[side]?.name, (value) => this._root(element, event, side, rootType, value, { name: value, [code]: value })),
    ], true);
  }

  _condition(element, own) {
    const t = this.translate;
    const from = own.sourceRef;
    const choosing = isAny(from, ['bpmn:ExclusiveGateway', 'bpmn:InclusiveGateway']);
    if (!choosing) {
      return own.conditionExpression && this._group('condition', 'Condition', [
        this._entry(Note, 'condition-note', '', undefined, undefined, { text: t('Conditions work behind exclusive and inclusive gateways only.') }),
        this._entry(Buttons, 'condition-off', '', undefined, undefined, { buttons: [{ label: t('Remove the condition'), act: () => this.modeling.updateProperties(element, { conditionExpression: undefined }) }] }),
      ], true);
    }
    const isDefault = from.default === own;
    const source = this.registry.get(from.id);
    return this._group('condition', 'Condition', [
      this._entry(Check, 'default', t('Taken when no other condition holds (default)'), () => isDefault, (value) => this.together(() => {
        this.modeling.updateProperties(source, { default: value ? own : undefined });
        if (value && own.conditionExpression) this.modeling.updateProperties(element, { conditionExpression: undefined });
      })),
      !isDefault && this._entry(Feel, 'condition', t('Taken when (FEEL)'), () => own.conditionExpression?.body, (value) => this.modeling.updateProperties(element, { conditionExpression: this._formal(value, own) })),
    ], true);
  }

  // ── parts ──

  _group(id, label, entries, shouldOpen = false) {
    return { id, label: this.translate(label), component: Group, entries: entries.filter(Boolean), shouldOpen };
  }

  _entry(component, id, label, get, set, more = {}) {
    return { id, component, label, get, set, isEdited: EDITED.get(component), disabled: this.studio.readOnly, ...more };
  }

  _task(component, element, attribute, label, more = {}) {
    return this._entry(component, `task-${attribute}`, label, () => this._ext(element, 'ps:Task')?.[attribute], (value) => this._setExt(element, 'ps:Task', { [attribute]: value }), more);
  }

  _list(id, label, element, type, title, entries, shouldOpen = false) {
    const items = this._exts(element, type).map((entry, index) => ({
      id: `${id}-${index}`, label: title(entry), entries: entries(entry, `${id}-${index}`).filter(Boolean),
      remove: this.studio.readOnly ? undefined : (event) => { event?.stopPropagation?.(); this._removeExt(element, entry); },
    }));
    const add = this.studio.readOnly ? undefined : (event) => {
      event?.stopPropagation?.();
      this._addExt(element, this.moddle.create(type, {}));
    };
    return { id, label: this.translate(label), component: ListGroup, items, add, shouldOpen: shouldOpen && items.length > 0 };
  }

  // ── extension elements ──

  _exts(element, type, of = element.businessObject) {
    return (of.get('extensionElements')?.get('values') ?? []).filter((entry) => entry.$type === type);
  }

  _ext(element, type, of) {
    return this._exts(element, type, of)[0];
  }

  _addExt(element, entry, of = element.businessObject) {
    const extensions = of.get('extensionElements');
    if (extensions) {
      entry.$parent = extensions;
      this._update(element, extensions, { values: [...extensions.get('values'), entry] });
      return;
    }
    const made = this.moddle.create('bpmn:ExtensionElements', { values: [entry] });
    made.$parent = of;
    entry.$parent = made;
    this._update(element, of, { extensionElements: made });
  }

  _setExt(element, type, values, of) {
    const entry = this._ext(element, type, of);
    if (entry) this._update(element, entry, values);
    else if (Object.values(values).some((value) => value !== undefined)) this._addExt(element, this.moddle.create(type, values), of);
  }

  _removeExt(element, entry, of = element.businessObject) {
    if (!entry) return;
    const extensions = of.get('extensionElements');
    const values = extensions.get('values').filter((other) => other !== entry);
    if (values.length) this._update(element, extensions, { values });
    else this._update(element, of, { extensionElements: undefined });
  }

  _setChild(element, type, many, childType, name, expression) {
    const entry = this._ext(element, type);
    if (!entry) {
      const made = this.moddle.create(type, { [many]: [this.moddle.create(childType, { name, expression })] });
      this._addExt(element, made);
      return;
    }
    const children = entry.get(many);
    const child = children.find((other) => other.name === name);
    if (child && expression) this._update(element, child, { expression });
    else if (child) this._update(element, entry, { [many]: children.filter((other) => other !== child) });
    else if (expression) {
      const made = this.moddle.create(childType, { name, expression });
      made.$parent = entry;
      this._update(element, entry, { [many]: [...children, made] });
    }
  }

  _update(element, moddleElement, values) {
    this.modeling.updateModdleProperties(element, moddleElement, values);
  }

  _formal(body, parent) {
    if (body === undefined) return undefined;
    const made = this.moddle.create('bpmn:FormalExpression', { body });
    made.$parent = parent;
    return made;
  }

  _documentation(element, of, text) {
    if (!text) { this._update(element, of, { documentation: [] }); return; }
    const made = this.moddle.create('bpmn:Documentation', { text });
    made.$parent = of;
    this._update(element, of, { documentation: [made, ...of.get('documentation').slice(1)] });
  }

  /** Point an event at a message, error or escalation of this name, made where there is none; the old one goes when nobody needs it. */
  _root(element, event, side, type, name, values) {
    const definitions = this.injector.get('bpmnjs').getDefinitions();
    if (!name) { this._update(element, event, { [side]: undefined }); return; }
    const old = event[side];
    const shared = old && this.registry.filter((other) => (other.businessObject.eventDefinitions ?? []).some((entry) => entry !== event && entry[side] === old)).length;
    if (old && !shared && is(old, type)) { this._update(element, old, values); return; }
    const there = definitions.get('rootElements').find((root) => is(root, type) && root.name === name);
    this.together(() => {
      let target = there;
      if (!target) {
        target = this.bpmnFactory.create(type, { id: `${snake(type.split(':')[1])}_${snake(name) || '1'}`, ...values });
        target.$parent = definitions;
        this._update(element, definitions, { rootElements: [...definitions.get('rootElements'), target] });
      }
      this._update(element, event, { [side]: target });
    });
  }

  /** The English name of a step that was just drawn is its id too, as nobody knows it yet: `user_task_1` says nothing in a journal. */
  _nameEnglish(element, of, value) {
    const words = snake(value ?? '').slice(0, 40).replace(/^[^a-z]+|_+$/g, '');
    const isNew = this.made.has(element.id) && is(of, 'bpmn:FlowNode') && of === element.businessObject;
    if (!isNew || !words) { this._update(element, of, { 'ps:name_en': value }); return; }
    let id = words;
    for (let number = 2; id !== element.id && (this.moddle.ids.assigned(id) || this.studio.taken().has(id)); number += 1) id = `${words}_${number}`;
    this.made.add(id);
    this.together(() => {
      this._update(element, of, { 'ps:name_en': value });
      if (id !== element.id) this.modeling.updateProperties(element, { id });
    });
  }

  // ── who ──

  _idProblem(own, value) {
    if (!value) return this.translate('An id is needed.');
    if (value === own.id) return undefined;
    if (!ID.test(value)) return this.translate('Small letters, digits and _, a letter first.');
    if (this.moddle.ids.assigned(value) || this.studio.taken().has(value)) return this.translate('Another element has this id.');
    return undefined;
  }

  _roles() {
    return (this.studio.names().roles ?? []).map(({ value, name, name_en }) => ({ value, label: this._either(name, name_en) }));
  }

  _either(zh, en) {
    return this.studio.english ? en || zh : zh || en;
  }

  _party(party) {
    const known = (this.studio.names().organisations ?? []).find((entry) => (entry.value ?? entry.key ?? entry) === party);
    return (known && (known.text || this._either(known.name, known.name_en))) || this.translate(party);
  }

  _chooseRole(element, role, laneRole) {
    if (!role || role === laneRole) { this.modeling.updateProperties(element, { 'ps:role': undefined }); return; }
    const lane = this.registry.find((entry) => is(entry, 'bpmn:Lane') && entry.id.split('.')[0] === role && !(entry.children ?? []).some((child) => is(child, 'bpmn:Lane')));
    if (!lane) { this.modeling.updateProperties(element, { 'ps:role': role }); return; }
    this.together(() => {
      if (element.businessObject.get('ps:role')) this.modeling.updateProperties(element, { 'ps:role': undefined });
      let y = freeRow(element, lane);
      if (y === undefined) { // a row of its own, at the foot of the lane
        y = lane.y + lane.height;
        this.injector.get('room').open('y', y - 5, element.height + 30);
      }
      this.modeling.moveElements([element], { x: 0, y: y - element.y });
    });
  }

  _laneRole(element, role) {
    const ids = this.moddle.ids;
    let id = role;
    for (let number = 2; ids.assigned(id) && id !== element.id; number += 1) id = `${role}.${number}`;
    this.modeling.updateProperties(element, { id, name: this.studio.roleName(role) });
  }

  /** Those who did a step: variables that an output sets to `person`, and steps that could. */
  _doers(element) {
    const t = this.translate;
    const tasks = this.registry.filter((entry) => is(entry, 'bpmn:UserTask') && entry !== element && entry.type !== 'label');
    const rows = tasks.map((entry) => {
      const output = this._exts(entry, 'ps:Output').find(({ expression }) => expression === 'person');
      return [output?.variable ?? `step:${entry.id}`, t('{step}', { step: entry.businessObject.name || entry.id })];
    });
    const others = (this.studio.names().variables ?? []).filter(({ name, kind }) => kind === 'person' && !rows.some(([value]) => value === name)).map(({ name, from }) => [name, from || name]);
    return options([['', t('Nobody is left out')], ...rows, ...others], this._excluded(element));
  }

  _excluded(element) {
    const exclude = this._ext(element, 'ps:Task')?.exclude;
    return exclude && ID.test(exclude) ? exclude : undefined;
  }

  _exclude(element, value) {
    this.together(() => {
      let variable = value;
      if (value?.startsWith('step:')) {
        const step = this.registry.get(value.slice(5));
        variable = `${step.id}_by`;
        this._addExt(step, this.moddle.create('ps:Output', { variable, expression: 'person' }));
      }
      this._setExt(element, 'ps:Task', { exclude: variable });
    });
  }

  // ── limits ──

  _limits(current) {
    const rows = (this.studio.names().limits ?? []).map((limit) => [limit.key, `${this._either(limit.name, limit.name_en) || limit.key}${values(limit, this.studio.english)}`]);
    return options([['', this.translate('No limit')], ...rows], current);
  }

  _limitName(key) {
    const limit = (this.studio.names().limits ?? []).find((entry) => entry.key === key);
    return limit ? this._either(limit.name, limit.name_en) : key;
  }

  _limitNote(key) {
    const limit = (this.studio.names().limits ?? []).find((entry) => entry.key === key);
    const rows = limit && areas(limit, this.studio.english);
    return rows?.length > 1 ? this._entry(Names, 'limit-areas', '', undefined, undefined, { rows }) : undefined;
  }

  // ── what is drawn by a button ──

  _addLoop(element) {
    const loop = this.moddle.create('bpmn:MultiInstanceLoopCharacteristics', {});
    loop.$parent = element.businessObject;
    const stem = snake(element.id);
    const item = this.moddle.create('bpmn:DataInput', { id: `${stem}_each`, name: `${stem}_each` });
    item.$parent = loop;
    loop.inputDataItem = item;
    this.modeling.updateProperties(element, { loopCharacteristics: loop });
  }

  _addReminder(element, kind) {
    const factory = this.injector.get('elementFactory');
    const task = this._ext(element, 'ps:Task');
    const limit = task?.limit ?? (this.studio.names().limits ?? [])[0]?.key ?? '';
    const name = element.businessObject.name ?? element.id, english = element.businessObject.get('ps:name_en') ?? element.id;
    const called = (zh, en) => ({ name: zh, 'ps:name_en': en }); // a diagram is in both languages, whichever its writer reads
    const late = (text) => `${text}${/[ -~]$/.test(text) ? ' ' : ''}超时`;
    let last;
    this.together(() => {
      const centre = this._freeBelow(element);
      const boundary = this.modeling.createShape(
        factory.createShape({ type: 'bpmn:BoundaryEvent', eventDefinitionType: 'bpmn:TimerEventDefinition', cancelActivity: false }),
        { x: element.x + element.width / 2, y: element.y + element.height }, element, { attach: true },
      );
      const timer = definition(boundary.businessObject, 'bpmn:TimerEventDefinition');
      this._update(boundary, timer, { timeDate: this._formal(`due("${limit}", ${task?.from ?? 'now()'})`, timer) });
      this.modeling.updateProperties(boundary, { ...called(late(name), `Late: ${english}`), cancelActivity: false });
      const step = this.modeling.appendShape(boundary, factory.createShape({ type: kind === 'person' ? 'bpmn:UserTask' : 'bpmn:ServiceTask' }), centre, element.parent);
      if (kind === 'person') {
        const forms = (this.studio.names().forms ?? []).map(({ key }) => key);
        this._setExt(step, 'ps:Task', { form: forms.includes('chase') ? 'chase' : undefined, organisation: 'owner', fresh: 'true' });
        // It is the office that chases, whoever is late.
        if (laneOf(step)?.id.split('.')[0] !== 'qc_officer') this.modeling.updateProperties(step, { 'ps:role': 'qc_officer' });
      } else {
        this._addExt(step, this.moddle.create('ps:Service', {
          name: 'tell', arguments: [['whom', '"owner.qc_officer"'], ['what', `"${element.id}_late"`]].map(([argument, expression]) => this.moddle.create('ps:Argument', { name: argument, expression })),
        }));
      }
      this.modeling.updateProperties(step, kind === 'person' ? called(`催办：${name}`, `Chase: ${english}`) : called(`告知：${late(name)}`, `Tell: ${english} is late`));
      const end = this.modeling.appendShape(step, factory.createShape({ type: 'bpmn:EndEvent' }), { x: centre.x + 120, y: centre.y }, element.parent);
      this.modeling.updateProperties(end, called('已提醒', 'Reminded'));
      last = step;
    });
    this.injector.get('selection').select(last);
  }

  /** Return where below an element a step and an end to its right cover nothing; room is made where there is none. */
  _freeBelow(element) {
    const lane = this.registry.find((entry) => is(entry, 'bpmn:Lane') && !(entry.children ?? []).some((child) => is(child, 'bpmn:Lane'))
      && entry.x <= element.x && element.x <= entry.x + entry.width && entry.y <= element.y && element.y <= entry.y + entry.height);
    let left = element.x + element.width / 2 + 20;
    const mine = element.outgoing ?? [];
    const down = mine.flatMap(({ waypoints }) => segments(waypoints)).filter(({ y, width, height }) => width < 1 && y + height > element.y + element.height).map(({ x }) => x);
    for (const x of down.sort((one, other) => one - other)) if (x > left - 10 && x < left + 230) left = x + 20; // beside its own way down
    const right = left + 230;
    const others = this.registry.filter((entry) => entry !== element && !mine.includes(entry) && entry.parent && !isAny(entry, ['bpmn:Lane', 'bpmn:Participant']) && entry.host !== element);
    const boxes = others.flatMap(({ waypoints, x, y, width, height }) => (waypoints
      ? segments(waypoints)
      : width && height && !(x < left && x + width > right && y < element.y && y + height > element.y + element.height) ? [{ x, y, width, height }] : []));
    const free = (y) => !boxes.some((box) => box.x < right && left < box.x + box.width + 1 && box.y < y + 60 && y - 50 < box.y + box.height + 1);
    const top = element.y + element.height + 80;
    for (let y = top; lane && y <= lane.y + lane.height - 60; y += 10) if (free(y)) return { x: left + 70, y };
    this.injector.get('room').open('y', element.y + element.height + 20, 140);
    return { x: left + 70, y: top + 10 };
  }

  _readNames(element) {
    const text = expressions(element.businessObject).join(' ');
    const found = [];
    for (const { name, from } of this.studio.names().variables ?? []) {
      if (new RegExp(`(^|[^\\w."])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\w"(])`).test(text)) found.push([name, from ? this.translate('from {step}', { step: from }) : '']);
    }
    for (const [name] of text.matchAll(/\b(case|profile)\.\w+/g)) if (!found.some(([other]) => other === name)) found.push([name, '']);
    return found;
  }
}

// ── reading a diagram ──

function definition(own, type) {
  return (own.eventDefinitions ?? []).find((entry) => is(entry, type));
}

function laneOf(element) {
  const own = element.businessObject;
  return (own.get?.('lanes') ?? [])[0] ?? own.$parent?.get?.('laneSets')?.flatMap((set) => set.get('lanes')).find((lane) => lane.get('flowNodeRef').includes(own));
}

/** Return every expression that stands in an element. */
function expressions(own) {
  const texts = [];
  for (const entry of own.get('extensionElements')?.get('values') ?? []) {
    if (entry.$type === 'ps:Task') for (const name of ['person', 'exclude', 'item', 'role', 'due', 'from']) texts.push(entry[name]);
    texts.push(entry.expression, entry.from);
    for (const child of [...(entry.arguments ?? []), ...(entry.inputs ?? [])]) texts.push(child.expression);
  }
  for (const flow of own.get('outgoing') ?? []) texts.push(flow.conditionExpression?.body);
  for (const event of own.get('eventDefinitions') ?? []) texts.push(event.timeDate?.body, event.timeDuration?.body);
  const loop = own.get('loopCharacteristics');
  texts.push(loop?.loopDataInputRef?.id, loop?.completionCondition?.body, loop?.loopCardinality?.body);
  return texts.filter(Boolean);
}

/** Return the y of a row of the lane where the element covers nothing, neither a shape nor a line of others; undefined where there is none. */
function freeRow(element, lane) {
  const middle = lane.y + lane.height / 2 - element.height / 2;
  const mine = new Set([element, ...element.incoming ?? [], ...element.outgoing ?? []]);
  const boxes = (lane.parent?.children ?? []).filter((other) => !mine.has(other) && !is(other, 'bpmn:Lane') && !other.labelTarget).flatMap((other) => (other.waypoints ? segments(other.waypoints) : [other]));
  const covers = (y) => (other) => element.x < other.x + other.width + 10 && other.x < element.x + element.width + 10 && y < other.y + other.height + 10 && other.y < y + element.height + 10;
  const free = (y) => !boxes.some(covers(y));
  if (free(middle)) return middle;
  for (let y = lane.y + 20; y + element.height <= lane.y + lane.height - 10; y += 10) if (free(y)) return y;
  return undefined;
}

/** Return the boxes around the parts of a line. */
function segments(waypoints) {
  return waypoints.slice(1).map((point, index) => ({
    x: Math.min(point.x, waypoints[index].x), y: Math.min(point.y, waypoints[index].y), width: Math.abs(point.x - waypoints[index].x), height: Math.abs(point.y - waypoints[index].y),
  }));
}

/** Return choices; what is chosen now is among them even where nobody knows it. */
function options(rows, current) {
  const made = rows.map(([value, label]) => ({ value, label }));
  if (current && !made.some(({ value }) => value === current)) made.push({ value: current, label: `${current} ?` });
  return made;
}

const UNITS = { zh: { h: ' 小时', d: ' 天', wd: ' 个工作日', dom: ' 日（次月）' }, en: { h: ' h', d: ' d', wd: ' working days', dom: '. of the next month' } };

function areas(limit, english) {
  const written = (value, unit) => (value === null || value === undefined ? '—' : `${value}${UNITS[english ? 'en' : 'zh'][unit ?? limit.unit] ?? ''}`);
  const given = limit.values ?? [];
  const rows = Array.isArray(given) ? given : Object.entries(given).map(([name, value]) => (value && typeof value === 'object' ? { name, ...value } : { name, value }));
  return rows.map((row) => [(english ? row.area_en : row.area) ?? row.area ?? row.name ?? '', written(row.value, row.unit)]);
}

function values(limit, english) {
  const rows = areas(limit, english);
  if (!rows.length) return '';
  const distinct = [...new Set(rows.map(([, value]) => value))];
  const text = distinct.length === 1 ? distinct[0].trim() : rows.slice(0, 3).map(([name, value]) => `${name} ${value}`).join(english ? ', ' : '，');
  return english ? ` (${text})` : `（${text}）`;
}

export default {
  __init__: ['studioProperties'],
  studioProperties: ['type', Properties],
};
