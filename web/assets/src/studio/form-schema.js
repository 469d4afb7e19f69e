// A form's text as an object and back: what the editor does not know stays as it is, keys keep their order.
const TYPES = new Set(['textfield', 'textarea', 'number', 'datetime', 'checkbox', 'radio', 'select', 'checklist', 'filepicker', 'group', 'dynamiclist', 'text', 'separator', 'spacer', 'expression']);
export const NESTED = new Set(['group', 'dynamiclist']);
export const INPUTS = new Set(['textfield', 'textarea', 'number', 'datetime', 'checkbox', 'radio', 'select', 'checklist', 'filepicker']);
export const MAX_TEXT = 400_000;
const MAX_COMPONENTS = 1_500;
const MAX_DEPTH = 12;
const TEXTS = ['id', 'key', 'path', 'label', 'description', 'text', 'subtype', 'dateLabel', 'timeLabel', 'valuesKey', 'expression', 'valuesExpression', 'accept'];
const OBJECTS = ['properties', 'validate', 'appearance', 'conditional', 'layout'];
// Read below the values that a new component begins with and that mean nothing to us.
const EMPTY = new Set(['{}', '""', 'null']);

/** Why a form cannot be drawn: a key of the words and its places. */
export class Unfit extends Error {
  constructor(words, places) { super(words); this.words = words; this.places = places; }
}

/** Read a form. Raises Unfit: not JSON, too large, of wrong types, with parts that do not run here. */
export function read(text) {
  if (text.length > MAX_TEXT) throw new Unfit('The file is too large to be drawn.');
  let schema;
  try { schema = JSON.parse(text); } catch (error) { throw new Unfit('This is not JSON: {reason}', { reason: error.message.slice(0, 120) }); }
  if (!isObject(schema) || !Array.isArray(schema.components)) throw new Unfit('This is not a form.');
  if (schema.pingshen !== undefined && !isObject(schema.pingshen)) throw new Unfit('"{what}" is of a wrong type.', { what: 'pingshen' });
  if (schema.pingshen?.rules !== undefined && (!Array.isArray(schema.pingshen.rules) || !schema.pingshen.rules.every(isObject))) throw new Unfit('"{what}" is of a wrong type.', { what: 'rules' });
  if (schema.pingshen?.checks !== undefined && !Array.isArray(schema.pingshen.checks)) throw new Unfit('"{what}" is of a wrong type.', { what: 'checks' });
  if (typeof schema.id !== 'string' || !schema.id || schema.type !== 'default') throw new Unfit('This is not a form.');
  const ids = new Set([schema.id]);
  let count = 0;
  const look = (components, depth, keys) => {
    if (depth > MAX_DEPTH) throw new Unfit('The form is nested too deeply.');
    for (const component of components) {
      count += 1;
      if (count > MAX_COMPONENTS) throw new Unfit('The form has too many components.');
      if (!isObject(component)) throw new Unfit('"{what}" is of a wrong type.', { what: 'components' });
      if (typeof component.type !== 'string' || !TYPES.has(component.type)) throw new Unfit('"{what}" does not run here.', { what: String(component.type).slice(0, 40) });
      for (const name of TEXTS) if (component[name] !== undefined && component[name] !== null && typeof component[name] !== 'string') throw new Unfit('"{what}" is of a wrong type.', { what: `${String(component.id).slice(0, 40)}.${name}` });
      for (const name of OBJECTS) if (component[name] !== undefined && component[name] !== null && !isObject(component[name])) throw new Unfit('"{what}" is of a wrong type.', { what: `${String(component.id).slice(0, 40)}.${name}` });
      if (component.values !== undefined && (!Array.isArray(component.values) || !component.values.every(isObject))) throw new Unfit('"{what}" is of a wrong type.', { what: `${String(component.id).slice(0, 40)}.values` });
      if (component.id !== undefined) {
        if (ids.has(component.id)) throw new Unfit('The id "{what}" is used twice.', { what: component.id.slice(0, 60) });
        ids.add(component.id);
      }
      const key = NESTED.has(component.type) ? component.path : component.key;
      if (key) {
        if (keys.has(key)) throw new Unfit('The key "{what}" is used twice.', { what: key.slice(0, 60) });
        if (!/^[A-Za-z_]\w*$/.test(key)) throw new Unfit('The key "{what}" is not allowed.', { what: key.slice(0, 60) });
        keys.add(key);
      }
      if (component.components !== undefined) {
        if (!Array.isArray(component.components)) throw new Unfit('"{what}" is of a wrong type.', { what: 'components' });
        look(component.components, depth + 1, key ? new Set() : keys);
      }
    }
  };
  look(schema.components, 0, new Set());
  if (hasOddKey(schema)) throw new Unfit('This is not a form.');
  return schema;
}

function isObject(value) { return typeof value === 'object' && value !== null && !Array.isArray(value); }
function hasOddKey(value) {
  if (Array.isArray(value)) return value.some(hasOddKey);
  return isObject(value) && (Object.hasOwn(value, '__proto__') || Object.values(value).some(hasOddKey));
}

/** Every component of a form, with its depth and parent. */
export function* all(components, depth = 0, parent = null) {
  for (const component of components ?? []) {
    yield { component, depth, parent };
    if (component.components) yield* all(component.components, depth + 1, component);
  }
}

/**
 * Write a form as text, in the order of keys that it had when it was read. `drawn` is what the editor made of it when it
 * was opened: what it added by itself is left out.
 */
export function write(schema, original, text, drawn) {
  const byId = (form) => new Map([...all(form.components)].map(({ component }) => [component.id, component]));
  const before = byId(original);
  const added = byId(drawn);
  const known = { before: (id) => before.get(id), added: (id) => added.get(id) };
  const exported = like(schema, original, (key, value, before) => (key === 'components' ? value.map((component) => part(component, known, value)) : key === 'schemaVersion' ? before ?? value : inner(value, before)));
  const indent = /\n( +)"/.exec(text)?.[1].length ?? 1;
  return JSON.stringify(exported, null, indent) + (text.endsWith('\n') ? '\n' : '');
}

const ORDER = ['type', 'id', 'key', 'path', 'label', 'text', 'description', 'subtype', 'dateLabel', 'timeLabel', 'valuesKey', 'values'];

function part(component, known, siblings) {
  const before = known.before(component.id);
  const drawn = known.added(component.id);
  const cleaned = { ...component };
  delete cleaned._parent;
  delete cleaned._path;
  // The editor notes rows of its own: kept where somebody put two side by side.
  if (cleaned.layout && before?.layout?.row === undefined) {
    const { row, ...layout } = cleaned.layout;
    const shared = siblings.filter((other) => other.layout?.row === row).length > 1;
    if (layout.columns === null && before?.layout?.columns === undefined) delete layout.columns;
    if (shared) layout.row = row;
    if (Object.keys(layout).length || before?.layout) cleaned.layout = layout; else delete cleaned.layout;
  }
  if (before && drawn) {
    for (const [name, value] of Object.entries(cleaned)) if (!Object.hasOwn(before, name) && JSON.stringify(drawn[name]) === JSON.stringify(value)) delete cleaned[name];
  }
  if (!before) {
    for (const [name, value] of Object.entries(cleaned)) if (name === 'showOutline' || EMPTY.has(JSON.stringify(value))) delete cleaned[name];
  }
  const ordered = before ?? Object.fromEntries(ORDER.filter((name) => name in cleaned).map((name) => [name, null]));
  return like(cleaned, ordered, (key, value, old) => (key === 'components' ? value.map((child) => part(child, known, value)) : inner(value, old)));
}

function inner(value, before) {
  return isObject(value) && isObject(before) ? like(value, before, (_, child, old) => inner(child, old)) : value;
}

function like(value, before, make) {
  const names = [...Object.keys(before).filter((name) => Object.hasOwn(value, name)), ...Object.keys(value).filter((name) => !Object.hasOwn(before, name))];
  return Object.fromEntries(names.filter((name) => value[name] !== undefined).map((name) => [name, make(name, value[name], before[name])]));
}
