// The editor of a form: the drawing (form-js), what we keep beside it, the form as people will see it, its text.
import './forms.css';
import { FormEditor } from '@bpmn-io/form-js-editor';
import { INPUTS, NESTED, Unfit, all, read, write } from './form-schema.js';
import { ask, el, source, style, tabs } from './parts.js';
import { panel } from './form-panel.js';
import { variablesOf } from './feel.js';
import { fill, isChinese } from './tongue.js';
import { ENGLISH, FORMS } from './words-forms.js';

const OFFERED = new Set(['textfield', 'textarea', 'number', 'datetime', 'checkbox', 'radio', 'select', 'checklist', 'filepicker', 'group', 'dynamiclist', 'text', 'separator', 'expression']);
const say = (words, places) => fill((isChinese() ? FORMS[words] : ENGLISH[words]) ?? words, places);

// Expressions of a form are evaluated by the server alone: the drawing shows them as they are written.
const inert = {
  expressionLanguage: ['value', { isExpression: () => false, getVariableNames: () => [], evaluate: () => null, evaluateUnaryTest: () => null }],
  templating: ['value', { isTemplate: () => false, getVariableNames: () => [], evaluate: (text) => text }],
  // An explanation is text, as on the page of the form: neither Markdown nor HTML.
  markdownRenderer: ['value', { render: (text) => `<p>${String(text ?? '').replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)}</p>` }],
  // What is kept beside a field has a panel of ours.
  propertiesPanel: ['value', { attachTo() {}, detach() {}, registerProvider() {}, getGroups: () => [] }],
};
const offers = {
  __init__: ['offers'],
  offers: ['factory', (formFields) => {
    const fields = formFields._formFields;
    for (const type of Object.keys(fields)) if (!OFFERED.has(type)) Object.defineProperty(fields, type, { value: fields[type], enumerable: false });
    return {};
  }],
};
offers.offers[1].$inject = ['formFields'];

/**
 * Open a form in `place`.
 * Returns {text(), markers(findings), reveal(id), destroy()}; `onChange` is called whenever text() would say something else.
 */
export async function open(place, { path, text: given, key, names = {}, readOnly = false, onChange = () => {}, shell = {} }) {
  await style('forms');
  let kept = given;          // the text as it was read
  let schema = null;         // that text as an object
  let drawn = null;          // what the drawing made of it
  let editor = null;         // the drawing
  let side = null;           // the panel
  let isChanged = false;
  let findings = [];

  const problem = el('p', { class: 'se-note', role: 'status', hidden: true });
  const canvas = el('div', { class: 'fe-canvas' });
  // The page lends its own panel; alone, the editor has one beside the drawing.
  const aside = el(shell.panel ? 'div' : 'aside', { class: shell.panel ? 'fe-side is-lent' : 'fe-side', 'aria-label': shell.panel ? null : say('Properties') });
  const design = el('div', { class: shell.panel ? 'fe-design is-wide' : 'fe-design' }, canvas, shell.panel ? null : aside);
  shell.panel?.replaceChildren(aside);
  const preview = el('div', { class: 'fe-preview', tabindex: '0', hidden: true });
  const plain = el('div', { class: 'se-plain', hidden: true });
  const views = tabs([
    { id: 'design', label: say('Design'), panel: design, shown: () => draw() },
    { id: 'preview', label: say('Preview'), panel: preview, shown: () => show() },
    { id: 'text', label: say('Text'), panel: plain, shown: () => spell() },
  ], path);
  const root = el('div', { class: 'se fe' }, views.strip, problem, design, preview, plain);
  place.replaceChildren(root);

  function tell(error) {
    problem.hidden = !error;
    problem.textContent = error ? (error instanceof Unfit ? say(error.words, error.places) : say('The form cannot be drawn: {reason}', { reason: String(error.message).slice(0, 200) })) + ' ' + say('Change it as text.') : '';
  }

  function now() {
    side?.flush();
    if (editor && isChanged) return write(editor.saveSchema(), schema, kept, drawn);
    return kept;
  }

  function drop() {
    kept = now();
    side?.destroy();
    editor?.destroy();
    side = editor = null;
    isChanged = false;
  }

  async function draw() {
    if (editor) return;
    try {
      schema = read(kept);
      editor = new FormEditor({ container: canvas, additionalModules: [inert, offers], propertiesPanel: { parent: el('div') } });
      await editor.importSchema(schema);
      drawn = editor.saveSchema();
      tell(null);
    } catch (error) {
      try { editor?.destroy(); } catch { /* it never stood */ }
      editor = null;
      schema = null;
      tell(error);
      views.choose('text');
      return;
    }
    isChanged = false;
    canvas.classList.toggle('is-fixed', readOnly);
    const element = canvas.querySelector('.fjs-container');
    element?.setAttribute('aria-label', say('The form'));
    side = panel(aside, { editor, names, readOnly, say, act, variables: () => variablesOf(names, answers()) });
    editor.on('selection.changed', () => side?.show());
    editor.on('commandStack.changed', ({ trigger }) => {
      if (trigger === 'clear') return;
      isChanged = true;
      side?.refresh(trigger);
      tidy();
      onChange();
    });
    canvas.addEventListener('click', choose);
    tidy();
    mark();
  }

  // A click on a component of the palette adds it after the one that is selected: nobody has to drag.
  function choose(event) {
    const button = event.target.closest('.fjs-palette-field');
    if (button && !readOnly && editor) { act.add(button.dataset.fieldType); event.stopPropagation(); return; }
    if (editor && !event.target.closest('[data-id], .fjs-palette-container, a, button')) editor.get('selection').clear();
  }

  const act = {
    add(type) {
      const chosen = editor.get('selection').get();
      const registry = editor.get('formFieldRegistry');
      const root_ = editor._getState().schema;
      const parent = !chosen ? root_ : NESTED.has(chosen.type) ? chosen : registry.get(chosen._parent) ?? root_;
      const index = parent === chosen || !chosen ? parent.components?.length ?? 0 : parent.components.indexOf(chosen) + 1;
      const attributes = { type };
      if (INPUTS.has(type) || type === 'expression') attributes.key = fresh(parent, type === 'expression' ? 'computed' : type);
      if (type === 'textfield' || type === 'textarea') attributes.properties = { id: 'N' }; // free words may name anybody: open only by a choice
      if (type === 'datetime') Object.assign(attributes, { label: say('Date'), dateLabel: say('Date') });
      if (type === 'dynamiclist') { attributes.path = fresh(parent, 'rows'); attributes.isRepeating = undefined; }
      const made = editor.get('modeling').addFormField(attributes, parent, index);
      requestAnimationFrame(() => side?.begin());
      return made;
    },
    move(field, step) {
      const registry = editor.get('formFieldRegistry');
      const parent = registry.get(field._parent);
      const index = parent.components.indexOf(field);
      const target = index + step;
      if (target < 0 || target >= parent.components.length) {
        // At the edge of its group it leaves it, upwards or downwards; a row of a list stays in its list.
        const upper = registry.get(parent._parent);
        if (!upper || parent.type !== 'group' || parent.path) return;
        const at = upper.components.indexOf(parent) + (step > 0 ? 1 : 0);
        editor.get('modeling').moveFormField(field, parent, upper, index, at, row(field), null);
        return;
      }
      editor.get('modeling').moveFormField(field, parent, parent, index, step > 0 ? target + 1 : target, row(field), null);
    },
    remove(field) {
      const parent = editor.get('formFieldRegistry').get(field._parent);
      editor.get('modeling').removeFormField(field, parent, parent.components.indexOf(field));
    },
    duplicate(field) {
      const parent = editor.get('formFieldRegistry').get(field._parent);
      const copy = (from, into, index) => {
        const { id, _parent, _path, components, layout, ...attributes } = from;
        const cloned = structuredClone(attributes);
        if (cloned.key) cloned.key = fresh(into, cloned.key);
        if (cloned.path) cloned.path = fresh(into, cloned.path);
        if (layout?.columns) cloned.layout = { columns: layout.columns };
        if (components) cloned.components = [];
        const made = editor.get('modeling').addFormField(cloned, into, index);
        (components ?? []).forEach((child, position) => copy(child, made, position));
        return made;
      };
      editor.get('selection').set(copy(field, parent, parent.components.indexOf(field) + 1));
    },
  };
  const row = (field) => editor.get('formLayouter').getRowForField(field);

  // A key that is free beside its siblings: phone, phone_2, …
  function fresh(parent, stem) {
    const taken = new Set();
    const scope = (() => { let found = parent; while (found && !found.path && found._parent) found = editor.get('formFieldRegistry').get(found._parent); return found; })();
    const gather = (components) => { for (const entry of components ?? []) { const own = NESTED.has(entry.type) ? entry.path : entry.key; if (own) taken.add(own); if (entry.components && !entry.path) gather(entry.components); } };
    gather(scope?.components);
    const base = stem.replace(/_\d+$/, '').slice(0, 50);
    if (!taken.has(stem)) return stem;
    for (let number = 2; ; number += 1) if (!taken.has(`${base}_${number}`)) return `${base}_${number}`;
  }

  function answers() {
    const found = (components) => (components ?? []).flatMap((entry) => {
      const own = NESTED.has(entry.type) ? entry.path : entry.key;
      if (!own) return found(entry.components);
      return [{ name: own, kind: entry.label || entry.type, ...(entry.components ? { entries: found(entry.components) } : {}) }];
    });
    const listed = editor ? found(editor._getState().schema.components) : [];
    return [...listed, ...['known', 'person', 'now', 'variables'].map((name) => ({ name, kind: '' }))];
  }

  // What the package leaves without a name is named; what is only drawn cannot be typed into.
  function tidy() {
    requestAnimationFrame(() => {
      if (!editor) return;
      for (const node of canvas.querySelectorAll('.fjs-form-container :is(input, textarea, select, button, [contenteditable]):not(.fjs-context-pad-item)')) { node.tabIndex = -1; node.setAttribute('aria-hidden', 'true'); }
      const registry = editor.get('formFieldRegistry');
      for (const node of canvas.querySelectorAll('.fjs-element[data-id]')) {
        const field = registry.get(node.dataset.id);
        if (!field || field.type === 'default') continue;
        node.setAttribute('role', 'group');
        // The options of a code list come with the page of the form; the drawing tells which list.
        const list = ['radio', 'select', 'checklist'].includes(field.type) && field.valuesKey ? (names.code_lists ?? []).find((entry) => entry.key === field.valuesKey) : null;
        if (list) node.dataset.list = `${list.key} ${isChinese() ? list.name : list.name_en}`; else delete node.dataset.list;
        node.setAttribute('aria-label', [field.label || field.text || '', field.key || field.path || ''].filter(Boolean).join(' · ').slice(0, 120) || field.type);
      }
      canvas.querySelector('.fjs-palette-search')?.setAttribute('aria-label', say('Search components'));
      mark();
    });
  }

  function mark() {
    if (!editor) return;
    side?.findings(findings);
    const levels = new Map();
    for (const finding of findings) {
      const field = find(finding.element);
      if (field && levels.get(field.id) !== 'error') levels.set(field.id, finding.level);
    }
    for (const node of canvas.querySelectorAll('.fjs-element[data-id]')) {
      node.classList.toggle('has-error', levels.get(node.dataset.id) === 'error');
      node.classList.toggle('has-warning', levels.has(node.dataset.id) && levels.get(node.dataset.id) !== 'error');
    }
  }

  function find(name) {
    if (!editor || !name) return null;
    const found = [...all(editor._getState().schema.components)].map(({ component }) => component);
    return found.find(({ id }) => id === name) ?? found.find((entry) => (entry.key ?? entry.path) === name) ?? null;
  }

  function spell() {
    drop();
    plain.replaceChildren(source({ text: kept, label: say('Text'), readOnly, onChange: (text) => { kept = text; onChange(); } }));
  }

  async function show() {
    drop();
    preview.replaceChildren(el('p', { class: 'muted', role: 'status' }, say('Loading…')));
    try {
      const { html, problem: refused } = await ask(`/studio/${encodeURIComponent(key)}/forms/preview`, { text: kept });
      if (refused) throw new Error(refused);
      const box = el('div', { class: 'fe-paper', inert: true });
      box.innerHTML = html; // the server's own page of the form: everything from the file is escaped there
      preview.replaceChildren(el('p', { class: 'muted small' }, say('As people will see it. Nothing can be filled in here.')), box);
    } catch (error) {
      preview.replaceChildren(el('p', { class: 'se-note', role: 'alert' }, error.message));
    }
  }

  const step = (way) => () => {
    side?.flush();
    const stack = editor?.get('commandStack');
    if (!stack?.[way === 'undo' ? 'canUndo' : 'canRedo']()) return false;
    stack[way]();
    return true;
  };

  views.choose('design');
  await draw();
  return {
    async text() { return now(); },
    markers(found) { findings = found ?? []; mark(); },
    async reveal(name) {
      views.choose('design');
      await draw();
      const field = find(name);
      if (field) editor.get('selection').set(field); else if (name) side?.rule(name); else { editor.get('selection').clear(); side?.begin("[data-where='source']"); }
      return Boolean(field);
    },
    undo: step('undo'),
    redo: step('redo'),
    usesPanel: Boolean(shell.panel),
    destroy() {
      side?.destroy();
      editor?.destroy();
      side = editor = null;
      aside.remove();
      root.remove();
    },
  };
}
