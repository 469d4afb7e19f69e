// The editor of a decision model: its diagram, its tables and expressions (dmn-js), and the examples kept with it.
import './tables.css';
import Modeler from 'dmn-js/lib/Modeler';
import Viewer from 'dmn-js/lib/NavigatedViewer';
import { ask, el, later, source, style } from './parts.js';
import { Unfit, kept as keptValue, look, shown, taken } from './table-model.js';
import { fill, isChinese, t } from './tongue.js';
import { PACKAGE, TABLES } from './words-tables.js';

const say = (words, places) => fill((isChinese() && TABLES[words]) || words, places);
const speak = (words, places) => (isChinese() && Object.hasOwn(PACKAGE, words) ? fill(PACKAGE[words], places) : t(words, places));
const RUN_AFTER_MS = 700;
const MAX_EXAMPLES = 300;

/**
 * Open a decision model in `place`.
 * `shell.read(path)` and `shell.put(path, text)` reach the examples, a file beside this one; without them they are for trying only.
 * Returns {text(), markers(findings), reveal(id), undo(), redo(), destroy()}.
 */
export async function open(place, { path, text: given, key, names = {}, readOnly = false, onChange = () => {}, shell = {} }) {
  await style('tables');
  const beside = path.replace(/\.dmn$/, '.examples.json');
  let kept = given;
  let manager = null;
  let back = (text) => text;
  let isChanged = false;
  let findings = [];
  let gone = false;

  const views = el('nav', { class: 'te-views', 'aria-label': say('Parts of the model') });
  const problem = el('p', { class: 'se-note', role: 'status', hidden: true });
  const canvas = el('div', { class: 'te-canvas', role: 'region', 'aria-label': say('The model') });
  const plain = el('div', { class: 'se-plain', hidden: true });
  const below = el('section', { class: 'te-examples', 'aria-label': say('Examples') });
  const root = el('div', { class: 'se te' }, views, problem, el('div', { class: 'te-body' }, canvas, plain), below);
  place.replaceChildren(root);

  function tell(words) { problem.hidden = !words; problem.textContent = words ?? ''; }

  // ── the model ──

  async function now() {
    if (manager && isChanged) return back((await manager.saveXML({ format: true })).xml);
    return kept;
  }

  function drop() {
    manager?.destroy();
    manager = null;
    canvas.replaceChildren();
  }

  async function draw() {
    drop();
    isChanged = false;
    const translate = { translate: ['value', speak] };
    const builtins = (names.functions ?? []).map(({ name, signature = '', text = '' }) => ({ name, type: 'function', info: [signature, text].filter(Boolean).join(' — '), params: (/\((.*)\)/.exec(signature)?.[1] ?? '').split(',').map((part) => part.trim()).filter(Boolean).map((part) => ({ name: part })) }));
    const given_ = {
      __init__: ['given'],
      given: ['factory', (variableResolver) => {
        variableResolver.registerProvider({ getVariables: (variables) => [...variables, { name: 'case', entries: (names.case ?? []).map((entry) => ({ name: entry.name ?? entry, info: entry.text ?? '' })) }, { name: 'profile', entries: (names.profile ?? []).map((entry) => ({ name: entry.name ?? entry })) }] });
        return {};
      }],
    };
    given_.given[1].$inject = ['variableResolver'];
    const named = readOnly ? [translate] : [translate, given_];
    try {
      const read = taken(kept);
      back = read.back;
      const Manager = readOnly ? Viewer : Modeler;
      manager = new Manager({
        container: canvas,
        common: { ...(builtins.length ? { feelLanguageContext: { builtins } } : {}), expressionLanguages: { options: [{ value: 'feel', label: 'FEEL' }], defaults: { editor: 'feel' } } },
        drd: { additionalModules: [translate] },
        decisionTable: { additionalModules: named },
        literalExpression: { additionalModules: named },
        boxedExpression: { additionalModules: named },
      });
      const { warnings } = await manager.importXML(read.text, { open: false });
      look(manager.getDefinitions(), warnings ?? []);
      manager.on('views.changed', strip);
      const first = manager.getViews().find(({ type }) => type === 'decisionTable') ?? manager.getViews()[0];
      if (!first) throw new Unfit('There is nothing to draw.');
      await manager.open(first);
      tell(null);
      plain.hidden = true;
      canvas.hidden = false;
      strip();
    } catch (error) {
      drop();
      asText(error);
    }
  }

  function asText(error) {
    canvas.hidden = true;
    plain.hidden = false;
    if (error) tell(`${error instanceof Unfit ? say(error.words, error.places) : say('The model cannot be drawn: {reason}', { reason: String(error.message).split('\n')[0].slice(0, 200) })} ${say('Change it as text.')}`);
    plain.replaceChildren(source({ text: kept, label: say('Text'), readOnly, onChange: (text) => { kept = text; onChange(); soon(); } }));
    strip();
  }

  const listening = new WeakSet();
  function listen(viewer) {
    if (!viewer || listening.has(viewer)) return;
    listening.add(viewer);
    viewer.on('commandStack.changed', ({ trigger }) => {
      if (trigger === 'clear' || gone) return;
      isChanged = true;
      onChange();
      soon();
      requestAnimationFrame(light);
    });
    viewer.on(['elements.changed', 'sheet.resized', 'root.added', 'import.done'], () => requestAnimationFrame(light));
  }

  // ── the parts of the model ──

  function strip() {
    if (gone) return;
    const active = manager?.getActiveView();
    listen(manager?.getActiveViewer());
    const entries = manager?.getViews() ?? [];
    const opened = new Set(entries.map(({ element }) => element.id));
    const others = (manager?.getDefinitions()?.get('drgElement') ?? []).filter((element) => !opened.has(element.id) && element.$type === 'dmn:Decision');
    const show = async (view) => { plain.hidden = true; canvas.hidden = false; tell(null); if (!manager) await draw(); if (manager && view) { await manager.open(view); name(); light(); } };
    views.replaceChildren(
      ...entries.map((view) => el('button', { type: 'button', class: 'btn btn-s', 'data-view': view.element.id, 'aria-current': !canvas.hidden && active?.element === view.element, onclick: () => show(view) }, view.type === 'drd' ? say('Diagram') : view.element.name || view.element.id)),
      ...others.map((element) => el('button', { type: 'button', class: 'btn btn-s', 'data-view': element.id, onclick: () => { tell(element.decisionLogic ? say('"{what}" is a boxed expression that is kept as it is. Change it as text.', { what: element.name || element.id }) : say('"{what}" is empty: choose in the diagram what it is.', { what: element.name || element.id })); } }, element.name || element.id)),
      manager
        ? el('button', { type: 'button', class: 'btn btn-s', onclick: async () => { kept = await now(); drop(); asText(null); } }, say('Text'))
        : el('button', { type: 'button', class: 'btn btn-s', onclick: () => draw() }, say('Draw it')),
    );
    name();
    requestAnimationFrame(light);
  }

  // What the package leaves without a name.
  function name() {
    requestAnimationFrame(() => {
      canvas.querySelector('.djs-container svg')?.setAttribute('aria-label', say('Diagram'));
      for (const node of canvas.querySelectorAll('[contenteditable]:not([aria-label])')) { node.setAttribute('role', 'textbox'); node.setAttribute('aria-label', node.getAttribute('data-placeholder') || node.closest('[title]')?.title || say('Cell')); }
      for (const node of canvas.querySelectorAll('.input-select input:not([aria-label]), input:not([aria-label]):not([id])')) node.setAttribute('aria-label', node.placeholder || say('Value'));
    });
  }

  // ── what is found and what hit ──

  function light() {
    if (!manager || gone) return;
    const view = manager.getActiveView();
    const viewer = manager.getActiveViewer();
    if (view?.type === 'decisionTable') {
      const rules = view.element.decisionLogic?.rule ?? [];
      const hit = hits(view.element.name);
      for (const row of canvas.querySelectorAll('tbody tr')) {
        const cell = row.querySelector('[data-row-id]');
        const index = rules.findIndex(({ id }) => id === cell?.dataset.rowId);
        if (index < 0) continue;
        const said = findings.filter(({ element }) => element === rules[index].id);
        row.classList.toggle('is-hit', hit.has(index + 1));
        row.classList.toggle('has-error', said.some(({ level }) => level === 'error'));
        row.classList.toggle('has-warning', said.length > 0 && !said.some(({ level }) => level === 'error'));
        if (said.length) row.title = said.map(({ text }) => text).join(' '); else row.removeAttribute('title');
      }
    } else if (view?.type === 'drd' && viewer) {
      const drawn = viewer.get('canvas');
      const registry = viewer.get('elementRegistry');
      for (const element of registry.getAll()) {
        const level = findings.find((finding) => finding.element === element.id)?.level;
        for (const [marker, on] of [['has-error', level === 'error'], ['has-warning', level && level !== 'error']]) if (drawn.hasMarker(element, marker) !== Boolean(on)) drawn[on ? 'addMarker' : 'removeMarker'](element, marker);
      }
    }
  }

  function holder(id) {
    const within = (element) => element.id === id || [element.decisionLogic, element.encapsulatedLogic].some((logic) => logic && (logic.id === id || [...(logic.rule ?? []), ...(logic.input ?? []), ...(logic.output ?? [])].some((part) => part.id === id || [...(part.inputEntry ?? []), ...(part.outputEntry ?? [])].some((cell) => cell.id === id))));
    return manager?.getViews().find(({ element, type }) => type !== 'drd' && within(element)) ?? null;
  }

  // ── the examples ──

  let doc = { decision: '', examples: [] };
  let decisions = [];
  let results = [];
  let chosen = -1;             // the example whose rules are lit; -1: all
  let trouble = '';
  let turn = 0;
  const soon = later(() => run(), RUN_AFTER_MS);

  function hits(name_) {
    const found = new Set();
    results.forEach((result, index) => {
      if (chosen >= 0 && chosen !== index) return;
      for (const table of result?.tables ?? []) if (table.decision === name_) for (const rule of table.rules) found.add(rule);
    });
    return found;
  }

  const decision = () => decisions.find(({ name: own }) => own === doc.decision);
  const columns = () => {
    const found = (decision()?.inputs ?? []).map(({ name: own, type }) => ({ name: own, type }));
    for (const example of doc.examples) for (const own of Object.keys(example.inputs ?? {})) if (!found.some((column) => column.name === own)) found.push({ name: own, type: '' });
    return found;
  };

  function store() {
    if (!readOnly) shell.put?.(beside, doc.examples.length ? `${JSON.stringify(doc, null, 1)}\n` : null);
    soon();
  }

  async function run() {
    soon.stop();
    const mine = (turn += 1);
    try {
      const text = await now();
      const answer = await ask(`/studio/${encodeURIComponent(key)}/decisions/run`, { path, text, examples: doc.decision && doc.examples.length ? { ...doc, examples: doc.examples.map((example) => ({ ...example, expect: example.expect === undefined ? null : example.expect })) } : null });
      if (mine !== turn || gone) return;
      if (answer.problem) throw new Error(answer.problem);
      const shape = JSON.stringify([decisions, doc.decision]);
      decisions = answer.decisions;
      results = answer.results;
      trouble = '';
      if (!decision() && decisions.length) doc.decision = (decisions.find(({ policy }) => policy) ?? decisions[0]).name;
      if (shape !== JSON.stringify([decisions, doc.decision])) grid(); else answers();
    } catch (error) {
      if (mine !== turn || gone) return;
      results = [];
      trouble = error.message;
      answers();
    }
    light();
  }

  /** Write what came out into the grid, without touching what is being typed. */
  function answers() {
    const status = below.querySelector('.te-status');
    if (!status) return;
    const right = results.filter(({ ok }) => ok).length;
    status.textContent = trouble || (doc.examples.length ? say('{right} of {all} as expected', { right, all: doc.examples.length }) : '');
    status.classList.toggle('is-error', Boolean(trouble));
    below.querySelectorAll('tbody tr').forEach((row, index) => {
      const result = results[index];
      row.classList.toggle('is-ok', Boolean(result?.ok));
      row.classList.toggle('is-wrong', Boolean(result && !result.ok));
      const cell = row.querySelector('.te-result');
      cell.replaceChildren(...(result ? [
        el('b', {}, result.ok ? say('as expected') : result.problem ? say('no result') : say('not as expected')), ' ',
        result.problem ? el('span', { class: 'small' }, result.problem) : result.ok ? '' : el('code', {}, result.got),
        result.hits.length ? el('span', { class: 'muted small' }, ` ${say('rule {numbers}', { numbers: result.hits.join(', ') })}`) : '',
        !result.ok && !result.problem && !readOnly ? el('button', { type: 'button', class: 'btn btn-s btn-quiet', onclick: () => { doc.examples[index].expect = keptValue(result.got) ?? null; store(); grid(); } }, say('This is right')) : '',
      ] : []));
    });
  }

  function grid() {
    const inputs = columns();
    const cell = (label, value, write) => {
      const control = el('input', { class: 'form-control', type: 'text', 'aria-label': label, spellcheck: 'false', autocomplete: 'off', readOnly });
      control.value = value;
      control.addEventListener('input', () => { write(control.value); store(); });
      return control;
    };
    const rows = doc.examples.map((example, index) => {
      const label = (column) => say('{column}, example {number}', { column, number: index + 1 });
      const row = el('tr', {},
        el('td', {}, cell(label(say('Name')), example.name ?? '', (text) => { example.name = text; })),
        ...inputs.map(({ name: own }) => el('td', {}, cell(label(own), shown(example.inputs?.[own]), (text) => {
          const value = keptValue(text);
          example.inputs = { ...(example.inputs ?? {}) };
          if (value === undefined) delete example.inputs[own]; else example.inputs[own] = value;
        }))),
        el('td', {}, cell(label(say('Expected')), example.expect === null ? 'null' : shown(example.expect), (text) => { example.expect = keptValue(text) ?? null; })),
        el('td', { class: 'te-result', 'aria-live': 'polite' }),
        el('td', {}, readOnly ? '' : el('button', { type: 'button', class: 'btn btn-s btn-quiet', 'aria-label': say('Remove example {number}', { number: index + 1 }), onclick: () => { doc.examples.splice(index, 1); results.splice(index, 1); store(); grid(); } }, '✕')));
      row.addEventListener('focusin', () => { if (chosen !== index) { chosen = index; light(); } });
      return row;
    });
    below.replaceChildren(
      el('div', { class: 'te-head' }, el('h2', {}, say('Examples')),
        el('label', { class: 'row-x tight nw small' }, say('of'), ' ', el('select', { class: 'form-select w-auto', disabled: readOnly, onchange: (event) => { doc.decision = event.target.value; store(); grid(); } },
          ...[...new Set([...decisions.map(({ name: own }) => own), ...(doc.decision ? [doc.decision] : [])])].map((own) => el('option', { value: own, selected: own === doc.decision }, own)))),
        readOnly ? '' : el('button', { type: 'button', class: 'btn btn-s', disabled: doc.examples.length >= MAX_EXAMPLES, onclick: () => { doc.examples.push({ name: say('Example {number}', { number: doc.examples.length + 1 }), inputs: {}, expect: null }); store(); grid(); below.querySelector('tbody tr:last-child input')?.focus(); } }, say('Add an example')),
        el('button', { type: 'button', class: 'btn btn-s', onclick: () => { chosen = -1; run(); } }, say('Run')),
        el('span', { class: 'te-status small', role: 'status' })),
      doc.examples.length ? el('div', { class: 'te-scroll', tabindex: '0', role: 'region', 'aria-label': say('Examples') }, el('table', {},
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, say('Name')), ...inputs.map(({ name: own, type }) => el('th', { scope: 'col' }, own, type ? el('span', { class: 'muted small' }, ` ${speak(type)}`) : '')), el('th', { scope: 'col' }, say('Expected')), el('th', { scope: 'col' }, say('Result')), el('th', {}, el('span', { class: 'vh' }, say('Remove'))))),
        el('tbody', {}, ...rows))) : '',
      el('p', { class: 'small muted mb-0' }, say('Values are FEEL: 35, true, "text", date("2026-01-31"). The examples are kept with the table and run whenever it is checked.')),
    );
    answers();
  }

  async function learn() {
    const text = shell.read ? await shell.read(beside).catch(() => null) : null;
    if (text) {
      try {
        const found = JSON.parse(text);
        if (typeof found !== 'object' || found === null || !Array.isArray(found.examples) || found.examples.length > MAX_EXAMPLES || !found.examples.every((entry) => typeof entry === 'object' && entry !== null && (entry.inputs === undefined || (typeof entry.inputs === 'object' && entry.inputs !== null && !Array.isArray(entry.inputs))))) throw new Error();
        doc = { ...found, decision: String(found.decision ?? '') };
      } catch {
        below.replaceChildren(el('h2', {}, say('Examples')), el('p', { class: 'se-note' }, say('The examples cannot be read: {path}', { path: beside })), source({ text, label: beside, readOnly, onChange: (changed) => shell.put?.(beside, changed) }));
        return;
      }
    }
    grid();
    await run();
  }

  await draw();
  learn();
  const step = (way) => () => {
    const stack = manager?.getActiveViewer()?.get('commandStack', false);
    if (!stack?.[way === 'undo' ? 'canUndo' : 'canRedo']()) return false;
    stack[way]();
    return true;
  };
  return {
    text: now,
    markers(found) { findings = found ?? []; light(); },
    async reveal(id) {
      if (!manager) await draw();
      const view = holder(id) ?? manager?.getViews()[0];
      if (!manager || !view) return false;
      await manager.open(view);
      light();
      requestAnimationFrame(() => canvas.querySelector(`[data-row-id="${CSS.escape(id)}"]`)?.scrollIntoView({ block: 'center' }));
      return true;
    },
    undo: step('undo'),
    redo: step('redo'),
    destroy() { gone = true; soon.stop(); drop(); root.remove(); },
  };
}
