// A text field for FEEL: colours, brackets, completion of the names that exist there. Without it the field is plain text.
let loading = null;

/** Load the editor once, when the first field asks for it. */
function load() {
  loading ??= import('@bpmn-io/feel-editor').then((module) => module.default);
  return loading;
}

/** Names of `GET …/names` as the editor takes them; `more` are those of the form or table. */
export function variablesOf(names = {}, more = []) {
  const plain = (entry, detail) => (typeof entry === 'string' ? { name: entry, detail } : { name: entry.name ?? entry.key, detail: entry.kind ?? detail, info: entry.from || entry.text || '' });
  const context = (name, list) => (Array.isArray(list) && list.length ? [{ name, entries: list.map((entry) => plain(entry, '')) }] : []);
  return [
    ...more.map((entry) => plain(entry, '')),
    ...(names.variables ?? []).map((entry) => plain(entry, '')),
    ...context('case', names.case), ...context('profile', names.profile),
  ];
}

function builtinsOf(names) {
  return (names?.functions ?? []).map(({ name, signature = '', text = '' }) => ({
    name, type: 'function', info: [signature, text].filter(Boolean).join(' — '),
    params: (/\((.*)\)/.exec(signature)?.[1] ?? '').split(',').map((part) => part.trim()).filter(Boolean).map((part) => ({ name: part.split(/[:=]/)[0].trim() })),
  }));
}

/**
 * Make a field for FEEL in `place`.
 * Options: value, label (aria), describedBy, variables, names, unary, readOnly, onChange(text). Returns {set(text), destroy()}.
 */
export function feelField(place, { value = '', label, describedBy, variables = [], names, unary = false, readOnly = false, onChange }) {
  place.classList.add('feel-field');
  const plain = document.createElement('textarea');
  plain.className = 'form-control';
  plain.rows = 1;
  plain.spellcheck = false;
  plain.value = value;
  plain.readOnly = readOnly;
  plain.setAttribute('aria-label', label);
  plain.addEventListener('input', () => { value = plain.value; onChange?.(value); });
  place.append(plain);
  let editor = null;
  let gone = false;
  load().then((FeelEditor) => {
    if (gone) return;
    const focused = document.activeElement === plain;
    const box = document.createElement('div');
    box.className = 'feel-box';
    editor = new FeelEditor({
      container: box, value, readOnly, dialect: unary ? 'unaryTests' : 'expression', variables,
      ...(names?.functions?.length ? { builtins: builtinsOf(names) } : {}),
      contentAttributes: { 'aria-label': label, ...(describedBy ? { 'aria-describedby': describedBy } : {}), spellcheck: 'false' },
      onChange: (text) => { value = text; onChange?.(text); },
      // Tab leaves the field; a form is not a place to indent in.
    });
    plain.replaceWith(box);
    if (focused) editor.focus();
  }, () => {});
  return {
    set(text) {
      if (text === value) return;
      value = text;
      if (editor) editor.setValue(text); else plain.value = text;
    },
    destroy() { gone = true; editor?._cmEditor.destroy(); place.textContent = ''; },
  };
}
