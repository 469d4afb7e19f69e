// What a decision model must be for the drawing, and the versions of DMN that it takes.
const MAX_TEXT = 1_000_000;
const MAX_CELLS = 12_000;
const MAX_DECISIONS = 300;
const DRAWN = 'https://www.omg.org/spec/DMN/20191111/MODEL/';
// DMN 1.4 and 1.5 say the same in these places; other versions are changed as text.
const SAME = ['https://www.omg.org/spec/DMN/20211108/MODEL/', 'https://www.omg.org/spec/DMN/20230324/MODEL/'];
const DRAWN_DI = 'https://www.omg.org/spec/DMN/20191111/DMNDI/';
const SAME_DI = 'https://www.omg.org/spec/DMN/20230324/DMNDI/';
const AGGREGATIONS = new Set([undefined, 'SUM', 'MIN', 'MAX', 'COUNT']);
const POLICIES = new Set(['UNIQUE', 'FIRST', 'PRIORITY', 'ANY', 'COLLECT', 'RULE ORDER', 'OUTPUT ORDER']);

/** Why a model cannot be drawn: a key of the words and its places. */
export class Unfit extends Error {
  constructor(words, places) { super(words); this.words = words; this.places = places; }
}

/** Return the text as the drawing takes it, and the way back. */
export function taken(text) {
  if (text.length > MAX_TEXT) throw new Unfit('The file is too large to be drawn.');
  if (/<!DOCTYPE/i.test(text)) throw new Unfit('A document type is not allowed.');
  if (/"http:\/\/www\.omg\.org\/spec\/DMN\/(20151101\/dmn\.xsd|20180521\/MODEL\/)"/.test(text)) throw new Unfit('Tables of DMN 1.1 and 1.2 run, but cannot be drawn here.');
  const model = SAME.find((namespace) => text.includes(`"${namespace}"`));
  if (!model) return { text, back: (written) => written };
  const hasDi = text.includes(`"${SAME_DI}"`);
  const swap = (given, pairs) => pairs.reduce((found, [from, to]) => found.replaceAll(`"${from}"`, `"${to}"`), given);
  return {
    text: swap(text, [[model, DRAWN], [SAME_DI, DRAWN_DI]]),
    back: (written) => swap(written, [[DRAWN, model], ...(hasDi ? [[DRAWN_DI, SAME_DI]] : [])]),
  };
}

/** Look at a model that was read. Raises Unfit: it holds what the drawing would lose or cannot show. */
export function look(definitions, warnings) {
  if (warnings.length) throw new Unfit('The drawing would lose parts of this model: {reason}', { reason: String(warnings[0].message ?? warnings[0]).split('\n')[0].slice(0, 160) });
  const elements = definitions.get('drgElement') ?? [];
  if (elements.length > MAX_DECISIONS) throw new Unfit('The model has too many parts to be drawn.');
  let cells = 0;
  for (const element of elements) {
    for (const table of tables(element)) {
      const columns = (table.input ?? []).length + (table.output ?? []).length;
      cells += columns * (table.rule ?? []).length;
      if (!(table.output ?? []).length) throw new Unfit('A table of "{what}" has no output.', { what: String(element.name).slice(0, 60) });
      if (!POLICIES.has(table.hitPolicy) || !AGGREGATIONS.has(table.aggregation) || (table.aggregation && table.hitPolicy !== 'COLLECT')) throw new Unfit('The hit policy "{what}" does not exist.', { what: `${table.hitPolicy} ${table.aggregation ?? ''}`.trim().slice(0, 60) });
      for (const rule of table.rule ?? []) if ((rule.inputEntry ?? []).length !== (table.input ?? []).length || (rule.outputEntry ?? []).length !== (table.output ?? []).length) throw new Unfit('A rule of "{what}" has more or fewer cells than the table has columns.', { what: String(element.name).slice(0, 60) });
    }
  }
  if (cells > MAX_CELLS) throw new Unfit('The tables are too large to be drawn.');
}

function* tables(element) {
  if (element.decisionLogic?.$type === 'dmn:DecisionTable') yield element.decisionLogic;
}

/** The text of a cell of the examples for a kept value: FEEL. */
export function shown(value) {
  if (value === undefined) return '';
  return typeof value === 'string' && value.startsWith('=') ? value.slice(1) : JSON.stringify(value);
}

/** What is kept for the text of a cell: plain values as they are, anything else as FEEL. */
export function kept(text) {
  const trimmed = text.trim();
  if (!trimmed) return undefined;
  try {
    const value = JSON.parse(trimmed);
    if (typeof value === 'number' && String(value) !== trimmed) return `=${trimmed}`;
    if (typeof value === 'string' ? !value.startsWith('=') : typeof value !== 'object' || value === null) return value;
  } catch { /* not a plain value */ }
  return `=${trimmed}`;
}
