// What is kept beside a form and beside a field: a panel of plain controls, each writes through the editor's own commands.
import { NESTED, all } from './form-schema.js';
import { feelField } from './feel.js';
import { el, later } from './parts.js';

const INPUT = ['textfield', 'textarea', 'number', 'datetime', 'checkbox', 'radio', 'select', 'checklist', 'filepicker'];
const CHOICE = ['radio', 'select', 'checklist'];
const UNKNOWN = ['textfield', 'textarea', 'number', 'datetime', 'radio', 'select'];
const CLASSES = ['A', 'C', 'N', 'P', 'Q', 'I'];
const AUDIENCES = ['case', 'office', 'committee', 'author', 'item', 'administration'];

// [section, where it is kept, words, control, types]; `where` is a path in the component.
const ROWS = [
  ['words', 'label', 'Label', 'text', [...INPUT, 'group', 'dynamiclist', 'expression']],
  ['words', 'text', 'Explanation', 'long', ['text']],
  ['words', 'properties.en', 'English', 'text', [...INPUT, 'group', 'dynamiclist', 'expression', 'text']],
  ['words', 'description', 'Hint', 'long', [...INPUT, 'group', 'dynamiclist']],
  ['words', 'properties.hint_en', 'Hint in English', 'long', [...INPUT, 'group', 'dynamiclist']],
  ['words', 'appearance.suffixAdder', 'Unit', 'text', ['number']],
  ['words', 'properties.unit_en', 'Unit in English', 'text', ['number']],
  ['kept', 'key', 'Key', 'key', [...INPUT, 'expression']],
  ['kept', 'path', 'Key', 'path', ['group', 'dynamiclist']],
  ['kept', 'properties.id', 'Identity class', 'identity', [...INPUT, 'expression']],
  ['kept', 'subtype', 'Kind', 'subtype', ['datetime']],
  ['kept', 'expression', 'Computed (FEEL)', 'equals', ['expression']],
  ['kept', 'valuesKey', 'Code list', 'lists', CHOICE],
  ['kept', 'values', 'Values of its own', 'values', CHOICE],
  ['kept', 'properties.codes', 'Suggestions from a code list', 'codes', ['textfield']],
  ['asked', 'validate.required', 'Must be answered', 'check', [...INPUT, 'dynamiclist']],
  ['asked', 'properties.required_if', 'Must be answered when (FEEL)', 'feel', [...INPUT, 'dynamiclist']],
  ['asked', 'conditional.hide', 'Hidden when (FEEL)', 'equals', [...INPUT, 'group', 'dynamiclist', 'text', 'separator', 'expression']],
  ['asked', 'properties.prefill', 'First value (FEEL)', 'feel', INPUT.filter((type) => type !== 'filepicker')],
  ['asked', 'properties.unknown', 'Offers "unknown"', 'flag', UNKNOWN],
  ['checked', 'validate.min', 'Least', 'number', ['number']],
  ['checked', 'validate.max', 'Most', 'number', ['number']],
  ['checked', 'properties.warn_min', 'Unusual below', 'decimal', ['number']],
  ['checked', 'properties.warn_max', 'Unusual above', 'decimal', ['number']],
  ['checked', 'decimalDigits', 'Decimal places', 'number', ['number']],
  ['checked', 'validate.minLength', 'Least characters', 'number', ['textfield', 'textarea']],
  ['checked', 'validate.maxLength', 'Most characters', 'number', ['textfield', 'textarea']],
  ['checked', 'validate.pattern', 'Pattern', 'text', ['textfield']],
  ['checked', 'validate.patternErrorMessage', 'Sentence when it does not fit', 'text', ['textfield']],
  ['checked', 'properties.pattern_en', 'The sentence in English', 'text', ['textfield']],
  ['checked', 'properties.past', 'Not in the future', 'flag', ['datetime']],
  ['shown', 'properties.quick', 'Buttons for today and yesterday', 'flag', ['datetime']],
  ['shown', 'properties.seg', 'A row of buttons', 'flag', ['radio', 'select']],
  ['shown', 'properties.long', 'Rows', 'decimal', ['textarea']],
  ['shown', 'properties.folded', 'Begins folded', 'flag', ['group']],
  ['shown', 'properties.row_id', 'Rows keep a key', 'flag', ['dynamiclist']],
  ['shown', 'properties.summary', 'Words for a folded row (FEEL)', 'feel', ['dynamiclist']],
  ['shown', 'multiple', 'Several files', 'check', ['filepicker']],
  ['shown', 'properties.file_kind', 'Kind of file first chosen', 'text', ['filepicker']],
  ['shown', 'layout.columns', 'Width in sixteenths', 'columns', [...INPUT, 'group', 'dynamiclist']],
];
const SECTIONS = { words: 'Words', kept: 'What is kept', asked: 'When it is asked', checked: 'What is checked', shown: 'How it looks' };

const get = (object, path) => path.split('.').reduce((value, step) => value?.[step], object);
let counter = 0;
const SETTLED_MS = 150; // by then the drawing has been drawn again

export function panel(place, { editor, names, readOnly, say, act, variables }) {
  const modeling = editor.get('modeling');
  const selection = editor.get('selection');
  let shown = undefined;      // the field that the panel shows; null for the form
  let live = [];              // FEEL fields to take away
  let controls = [];          // {where, read()} to bring up to date after undo
  let findings = [];
  let mine = false;           // the change comes from here
  const pending = new Set();

  function flush() { for (const run of [...pending]) run.flush(); }
  function clear() {
    flush();
    for (const field of live) field.destroy();
    live = []; controls = [];
    pending.clear();
    place.replaceChildren();
  }

  // ── writing ──

  const root = () => editor._getState().schema;

  /** Set a value at a path of a component as one step that can be undone; nothing (undefined) takes it away. */
  function set(component, where, value) {
    const [top, ...rest] = where.split('.');
    const nested = (object, steps) => {
      if (!steps.length) return value;
      const copy = { ...(object ?? {}) };
      const inner = nested(copy[steps[0]], steps.slice(1));
      if (inner === undefined) delete copy[steps[0]]; else copy[steps[0]] = inner;
      return Object.keys(copy).length ? copy : undefined;
    };
    const next = rest.length ? nested(component[top], rest) : value;
    if (JSON.stringify(next) === JSON.stringify(component[top])) return;
    const changed = { [top]: next };
    if (component.type === 'datetime' && where === 'label') Object.assign(changed, moment(component, value, component.subtype));
    if (component.type === 'datetime' && where === 'subtype') Object.assign(changed, moment(component, component.label ?? component.dateLabel ?? component.timeLabel, value));
    if (where === 'valuesKey' && value) changed.values = undefined;
    if (where === 'values' && value) changed.valuesKey = undefined;
    edit(component, changed);
  }

  // The drawing takes the focus to a component that changes: whoever writes in the panel keeps it.
  function edit(component, changes) {
    mine = true;
    try { modeling.editFormField(component, changes); } finally { mine = false; }
    const writing = () => (place.contains(document.activeElement) ? document.activeElement : null);
    let held = writing();
    if (!held) return;
    const back = (event) => { if (held.isConnected && event.target.closest('.fjs-element')) held.focus({ preventScroll: true }); else if (place.contains(event.target)) held = event.target; };
    document.addEventListener('focusin', back);
    setTimeout(() => document.removeEventListener('focusin', back), SETTLED_MS);
  }

  // The drawing shows the labels of the parts of a moment, the server the label.
  function moment(component, label, subtype) {
    return { label, ...(subtype === 'time' ? { timeLabel: label, dateLabel: undefined } : { dateLabel: label, ...(component.timeLabel ? { timeLabel: undefined } : {}) }) };
  }

  function ours(changes) {
    const form = root();
    const next = { ...(form.pingshen ?? {}), ...changes };
    for (const [name, value] of Object.entries(next)) if (value === undefined) delete next[name];
    if (JSON.stringify(next) === JSON.stringify(form.pingshen ?? {})) return;
    edit(form, { pingshen: next });
  }

  // ── controls ──

  function typed(write, wait = 350) {
    const run = later(() => { pending.delete(run); write(); }, wait);
    const plain = () => { pending.add(run); run(); };
    plain.flush = () => run.flush();
    return plain;
  }

  function row(label, control, { hint, wide = true } = {}) {
    const id = `fp-${counter += 1}`;
    const describedBy = hint ? `${id}-h` : null;
    control.id = id;
    if (describedBy) control.setAttribute('aria-describedby', describedBy);
    return el('div', { class: wide ? 'fp-row' : 'fp-row fp-half' }, el('label', { for: id }, label), control, hint ? el('span', { class: 'hint', id: describedBy }, hint) : null);
  }

  function text(label, value, write, { long = false, hint, mode, fixed = readOnly, rows = 2, check } = {}) {
    const control = long ? el('textarea', { class: 'form-control', rows, readOnly: fixed }) : el('input', { class: 'form-control', type: 'text', inputmode: mode, autocomplete: 'off', readOnly: fixed });
    control.value = value ?? '';
    const save = typed(() => {
      const wrong = check?.(control.value);
      control.setCustomValidity(wrong ?? '');
      if (wrong) control.setAttribute('aria-invalid', 'true'); else control.removeAttribute('aria-invalid');
      if (wrong) control.reportValidity(); else write(control.value);
    });
    control.addEventListener('input', save);
    control.addEventListener('change', () => { save(); setTimeout(() => save.flush()); }); // once the focus has moved on
    return row(label, control, { hint });
  }

  function tick(label, value, write, hint) {
    const id = `fp-${counter += 1}`;
    const control = el('input', { class: 'form-check-input', type: 'checkbox', id, checked: Boolean(value), disabled: readOnly, onchange: () => write(control.checked) });
    return el('div', { class: 'fp-row fp-tick' }, control, el('label', { for: id }, label), hint ? el('span', { class: 'hint' }, hint) : null);
  }

  function choice(label, value, options, write, hint) {
    const control = el('select', { class: 'form-select', disabled: readOnly, onchange: () => { write(control.value); refreshHint(); } });
    const listed = options.some(([code]) => code === (value ?? '')) ? options : [...options, [value, String(value)]];
    control.append(...listed.map(([code, words]) => el('option', { value: code, selected: code === (value ?? '') }, words)));
    const made = row(label, control, { hint: typeof hint === 'function' ? hint(control.value) || ' ' : hint });
    function refreshHint() { if (typeof hint === 'function') made.querySelector('.hint').textContent = hint(control.value); }
    return made;
  }

  function feel(label, value, write, { equals = false, scope } = {}) {
    const id = `fp-${counter += 1}`;
    const box = el('div', { class: 'fp-feel' });
    const bare = (words) => (equals ? String(words ?? '').trim().replace(/^=\s*/, '') : String(words ?? ''));
    let latest = bare(value);
    const save = typed(() => write(latest.trim() ? (equals ? `=${latest.trim()}` : latest.trim()) : undefined), 500);
    const field = feelField(box, { value: latest, label, names, variables: [...(scope ?? []), ...variables()], readOnly, onChange: (words) => { latest = words; save(); } });
    live.push(field);
    return el('div', { class: 'fp-row' }, el('span', { class: 'fp-label', id }, label), box);
  }

  function values(label, component) {
    const body = el('div', { class: 'fp-values', role: 'group', 'aria-label': label });
    const draw = () => {
      const list = component.values ?? [];
      const put = (next) => { set(component, 'values', next.length ? next : undefined); draw(); };
      body.replaceChildren(
        ...list.map((entry, index) => el('div', { class: 'fp-value' },
          ...[['value', 'Code'], ['label', 'Words'], ['label_en', 'English']].map(([name, words]) => {
            const control = el('input', { class: 'form-control', type: 'text', value: entry[name] ?? '', 'aria-label': `${say(words)} ${index + 1}`, placeholder: say(words), readOnly });
            const write = () => set(component, 'values', (component.values ?? []).map((other, at) => (at === index ? tidied({ ...other, [name]: control.value }) : other)));
            const save = typed(write);
            control.addEventListener('input', save);
            control.addEventListener('change', () => { save(); setTimeout(() => save.flush()); }); // once the focus has moved on
            return control;
          }),
          readOnly ? null : el('button', { type: 'button', class: 'btn btn-s btn-quiet', 'aria-label': say('Remove value {number}', { number: index + 1 }), onclick: () => put(list.filter((_, at) => at !== index)) }, '✕'))),
        readOnly ? '' : el('button', { type: 'button', class: 'btn btn-s', onclick: () => { put([...list, { value: String(list.length + 1), label: '' }]); body.querySelectorAll('.fp-value:last-of-type input')[1]?.focus(); } }, say('Add a value')),
      );
    };
    draw();
    return el('div', { class: 'fp-row' }, el('span', { class: 'fp-label' }, label), body);
  }
  const tidied = (entry) => { const kept = { ...entry }; if (!kept.label_en) delete kept.label_en; return kept; };

  function lists(all_) {
    return (names.code_lists ?? []).filter(({ key }) => all_ || !key.includes('.')).map((list) => [list.key, `${list.key} ${document.documentElement.lang.startsWith('zh') ? list.name : list.name_en}`]);
  }

  function claimable(component, name, value) {
    if (!value) return name === 'path' && component.type === 'group' ? undefined : say('A key is needed.');
    if (!/^[a-z][a-z0-9_]{0,59}$/.test(value)) return say('Small letters, digits and _, beginning with a letter.');
    if (['now', 'today', 'case', 'known', 'profile', 'answers', 'variables'].includes(value)) return say('This word has a meaning of its own.');
    const registry = editor.get('formFieldRegistry');
    let scope = registry.get(component._parent);
    while (scope && !scope.path && scope._parent) scope = registry.get(scope._parent);
    const taken = (components) => (components ?? []).some((entry) => entry !== component && ((NESTED.has(entry.type) ? entry.path : entry.key) === value || (!entry.path && taken(entry.components))));
    return taken(scope?.components) ? say('The key "{what}" is used twice.', { what: value }) : undefined;
  }

  function key(component, name, label) {
    const hint = name === 'path' && component.type === 'group' ? say('Empty: the answers stand beside those outside.') : say('Never change it once cases have run.');
    return text(label, component[name], (value) => {
      if (value === (component[name] ?? '')) return;
      edit(component, { [name]: value || undefined });
    }, { hint, check: (value) => claimable(component, name, value) });
  }

  function control(component, [, where, words, kind]) {
    const label = say(words);
    const value = get(component, where);
    const put = (next) => set(component, where, next === '' || next === undefined ? undefined : next);
    switch (kind) {
      case 'text': return text(label, value ?? (where === 'label' ? component.dateLabel ?? component.timeLabel : ''), put);
      case 'long': return text(label, value, put, { long: true });
      case 'number': return text(label, value, (typed_) => put(typed_ === '' ? '' : Number(typed_)), { mode: 'decimal', check: (typed_) => (typed_ === '' || Number.isFinite(Number(typed_)) ? undefined : say('Not a number.')) });
      case 'decimal': return text(label, value, put, { mode: 'decimal', check: (typed_) => (typed_ === '' || Number.isFinite(Number(typed_)) ? undefined : say('Not a number.')) });
      case 'columns': return choice(label, value ? String(value) : '', [['', say('What its kind needs')], ...[4, 5, 6, 8, 10, 12, 16].map((number) => [String(number), String(number)])], (chosen) => put(chosen ? Number(chosen) : ''));
      case 'check': return tick(label, value, (on) => put(on || undefined));
      case 'flag': return tick(label, value === 'true', (on) => put(on ? 'true' : undefined));
      case 'feel': return feel(label, value, put);
      case 'equals': return feel(label, value, put, { equals: true });
      case 'key': case 'path': return key(component, where, label);
      case 'identity': return choice(label, value ?? 'A', CLASSES.map((letter) => [letter, `${letter} ${say(`class ${letter}`)}`]), (letter) => put(letter === 'A' && value === undefined ? undefined : letter), (letter) => say(`class ${letter} text`));
      case 'subtype': return choice(label, value ?? 'date', [['date', say('Date')], ['time', say('Time')], ['datetime', say('Date and time')]], put);
      case 'lists': return choice(label, value ?? '', [['', say('Values of its own')], ...lists(true)], (chosen) => { put(chosen); show(); place.querySelector("[data-where='valuesKey'] select")?.focus(); });
      case 'codes': return choice(label, value ?? '', [['', '—'], ...lists(false)], put);
      case 'values': return component.valuesKey ? el('span') : values(label, component);
      default: return el('span');
    }
  }

  // ── the panel of a field ──

  function field(component) {
    const buttons = readOnly ? [] : [
      el('button', { type: 'button', class: 'btn btn-s', onclick: () => again(() => act.move(component, -1)) }, say('Up')),
      el('button', { type: 'button', class: 'btn btn-s', onclick: () => again(() => act.move(component, 1)) }, say('Down')),
      el('button', { type: 'button', class: 'btn btn-s', onclick: () => { flush(); act.duplicate(component); } }, say('Duplicate')),
      el('button', { type: 'button', class: 'btn btn-s', onclick: () => { flush(); act.remove(component); } }, say('Remove')),
    ];
    const said = findings.filter(({ element }) => element === component.id || (element && element === (component.key ?? component.path)));
    place.append(
      el('div', { class: 'fp-head' }, el('button', { type: 'button', class: 'btn btn-s btn-quiet', onclick: () => { flush(); selection.clear(); } }, say('The whole form')), el('p', { class: 'small muted fp-kind' }, say(`type ${component.type}`), ' ', el('code', {}, component.key ?? component.path ?? component.id))),
      el('h2', { class: 'fp-title' }, component.label || component.text?.slice(0, 60) || component.dateLabel || say(`type ${component.type}`)),
      buttons.length ? el('div', { class: 'fp-actions' }, ...buttons) : '',
      ...said.map(({ level, text: words }) => el('p', { class: `se-note ${level === 'error' ? 'is-error' : ''}` }, words)),
    );
    for (const [section, words] of Object.entries(SECTIONS)) {
      const rows = ROWS.filter(([where, , , , types]) => where === section && types.includes(component.type));
      if (rows.length) place.append(el('fieldset', { class: 'fp-section', 'data-section': section }, el('legend', {}, say(words)), ...rows.map((entry) => { const made = control(component, entry); made.dataset.where = entry[1]; return made; })));
    }
  }

  const marked = (where, made) => { made.dataset.where = where; return made; };

  // Moving keeps the button under the finger.
  function again(run) {
    const label = document.activeElement?.textContent;
    flush();
    run();
    requestAnimationFrame(() => [...place.querySelectorAll('.fp-actions button')].find((button) => button.textContent === label)?.focus());
  }

  // ── the panel of the form ──

  function form() {
    const kept = () => root().pingshen ?? {};
    const entries = [...all(root().components)];
    const top = entries.filter(({ component, parent }) => component.key && (!parent || !parent.path));
    const choices = top.filter(({ component }) => ['radio', 'select'].includes(component.type));
    const named = (list) => [['', '—'], ...list.map(({ component }) => [component.key, `${component.key} ${component.label ?? ''}`])];
    place.append(
      el('p', { class: 'small muted fp-kind' }, say('Form'), ' ', el('code', {}, root().id)),
      el('h2', { class: 'fp-title' }, kept().title || root().id),
      el('fieldset', { class: 'fp-section' }, el('legend', {}, say('Words')),
        text(say('Title'), kept().title, (value) => ours({ title: value })),
        text(say('Title in English'), kept().title_en, (value) => ours({ title_en: value })),
        marked('source', text(say('Source of the rule'), kept().source, (value) => ours({ source: value }), { long: true, hint: say('The sheet or rule it comes from.') }))),
      el('fieldset', { class: 'fp-section' }, el('legend', {}, say('Who reads it')),
        choice(say('Audience'), kept().audience ?? 'case', AUDIENCES.map((name) => [name, say(`audience ${name}`)]), (value) => ours({ audience: value }), (name) => say(`audience ${name} text`)),
        ...['no_identifiers', 'no_subject'].map((name) => tick(say(`check ${name}`), (kept().checks ?? []).includes(name), (on) => {
          const list = (kept().checks ?? []).filter((other) => other !== name);
          ours({ checks: on ? [...list, name] : list.length ? list : undefined });
        }))),
      el('fieldset', { class: 'fp-section' }, el('legend', {}, say('How it is handed in')),
        tick(say('Shows all answers before it is handed in'), kept().review, (on) => ours({ review: on })),
        choice(say('Answer that stands for the record'), kept().tells ?? '', named(choices), (value) => ours({ tells: value || undefined })),
        choice(say('Answer that names the township'), kept().township ?? '', named(top), (value) => ours({ township: value || undefined }))),
      rules(),
      outline(entries),
    );
  }

  function rules() {
    const list = () => root().pingshen?.rules ?? [];
    const box = el('fieldset', { class: 'fp-section fp-rules' }, el('legend', {}, say('Rules')));
    const change = (index, changes) => ours({ rules: list().map((rule, at) => (at === index ? { ...rule, ...changes } : rule)) });
    const redraw = (next, focus) => { flush(); ours({ rules: next }); draw(); if (focus !== undefined) { const made = box.querySelectorAll('details')[focus]; if (made) { made.open = true; made.querySelector('input, select')?.focus(); } } };
    const draw = () => {
      const rows = list().map((rule, index) => {
        const inside = el('div', { class: 'fp-rule' });
        const said = findings.filter(({ element }) => element === rule.id);
        const fold = el('details', { 'data-rule': rule.id }, el('summary', {}, el('b', {}, rule.id || say('Rule')), ' ', el('span', { class: 'muted small' }, document.documentElement.lang.startsWith('zh') ? rule.zh : rule.en)), inside);
        fold.addEventListener('toggle', () => {
          if (!fold.open || inside.childElementCount) return;
          inside.append(
            ...said.map(({ level, text: words }) => el('p', { class: `se-note ${level === 'error' ? 'is-error' : ''}` }, words)),
            text(say('Name'), rule.id, (value) => change(index, { id: value }), { check: (value) => (/^[a-z][a-z0-9_]*$/.test(value) ? undefined : say('Small letters, digits and _, beginning with a letter.')) }),
            choice(say('Level'), rule.level, [['error', say('level error')], ['warning', say('level warning')]], (value) => change(index, { level: value })),
            choice(say('At the field'), rule.field, places(), (value) => change(index, { field: value })),
            feel(say('When (FEEL)'), rule.when, (value) => change(index, { when: value ?? '' }), { scope: scope(rule.field) }),
            text(say('Sentence'), rule.zh, (value) => change(index, { zh: value }), { long: true }),
            text(say('Sentence in English'), rule.en, (value) => change(index, { en: value }), { long: true }),
            readOnly ? '' : el('div', { class: 'fp-actions' },
              el('button', { type: 'button', class: 'btn btn-s', disabled: index === 0, onclick: () => redraw(swapped(list(), index, index - 1), index - 1) }, say('Up')),
              el('button', { type: 'button', class: 'btn btn-s', disabled: index === list().length - 1, onclick: () => redraw(swapped(list(), index, index + 1), index + 1) }, say('Down')),
              el('button', { type: 'button', class: 'btn btn-s', onclick: () => redraw(list().filter((_, at) => at !== index)) }, say('Remove'))),
          );
        });
        return fold;
      });
      box.replaceChildren(box.firstChild, ...rows, readOnly ? '' : el('button', { type: 'button', class: 'btn btn-s', onclick: () => redraw([...list(), { id: `rule_${list().length + 1}`, level: 'warning', field: places()[0]?.[0] ?? '', when: 'false', zh: '', en: '' }], list().length) }, say('Add a rule')));
    };
    draw();
    return box;
  }
  const swapped = (list, from, to) => { const next = [...list]; [next[from], next[to]] = [next[to], next[from]]; return next; };

  // Where a rule may stand: `blood.given` in a group, `blood[].given` in the rows of a list.
  function places() {
    const walk = (components, before) => (components ?? []).flatMap((entry) => {
      if (entry.type === 'group') return walk(entry.components, entry.path ? `${before}${entry.path}.` : before);
      if (entry.type === 'dynamiclist') return [[`${before}${entry.path}`, `${before}${entry.path}`], ...(before.includes('[]') ? [] : walk(entry.components, `${before}${entry.path}[].`))];
      return entry.key ? [[`${before}${entry.key}`, `${before}${entry.key} ${entry.label ?? ''}`]] : [];
    });
    return walk(root().components, '');
  }
  function scope(where) {
    const [list] = String(where ?? '').split('[]');
    if (!String(where).includes('[]')) return [];
    const found = [...all(root().components)].find(({ component }) => component.type === 'dynamiclist' && component.path === list.split('.').pop());
    return [...(found?.component.components ?? []).filter(({ key: own }) => own).map((entry) => ({ name: entry.key, kind: entry.label })), { name: 'row_number', kind: 'number' }];
  }

  function outline(entries) {
    return el('nav', { class: 'fp-section fp-outline', 'aria-label': say('Components in order') }, el('h3', {}, say('Components in order')),
      el('ul', {}, ...entries.map(({ component, depth }) => el('li', { class: `fp-deep-${Math.min(depth, 4)}` }, el('button', { type: 'button', class: 'fp-link', onclick: () => { flush(); selection.set(component); } },
        component.label || component.text?.slice(0, 40) || component.dateLabel || say(`type ${component.type}`), ' ', el('span', { class: 'muted small' }, component.key ?? component.path ?? ''))))));
  }

  function show() {
    const chosen = selection.get();
    const next = chosen && chosen.type !== 'default' ? chosen : null;
    clear();
    const isOther = shown?.id !== next?.id;
    shown = next;
    if (next) field(next); else form();
    if (isOther) (place.closest('.st-panel') ?? place).scrollTop = 0;
  }

  show();
  return {
    show,
    flush,
    /** Go to where one begins to write: the words of a component that was just added, or another control. */
    begin(where = "[data-where='label'], [data-where='text']") {
      const control = place.querySelector(`:is(${where}) :is(input, textarea)`);
      control?.focus();
      control?.select();
    },
    /** After a step: another one than that of this panel is shown anew. */
    refresh() {
      if (mine) {
        const title = place.querySelector('.fp-title');
        if (title && shown) title.textContent = shown.label || shown.text?.slice(0, 60) || title.textContent;
        return;
      }
      const open = [...place.querySelectorAll('details[open]')].map((fold) => fold.dataset.rule);
      show();
      for (const fold of place.querySelectorAll('details')) if (open.includes(fold.dataset.rule)) fold.open = true;
    },
    rule(id) {
      const fold = [...place.querySelectorAll('details[data-rule]')].find((entry) => entry.dataset.rule === id);
      if (fold) { fold.open = true; fold.scrollIntoView({ block: 'nearest' }); fold.querySelector('summary').focus(); }
    },
    findings(found) {
      const before = JSON.stringify(findings);
      findings = found;
      if (before !== JSON.stringify(found) && !place.contains(document.activeElement)) show();
    },
    destroy: clear,
  };
}
