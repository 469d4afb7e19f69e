// Words of packages that know no other language: i18n-plugin.mjs wraps them in `t('…')` while bundling.
import { FORM_EDITOR } from './words-forms.js';
import { PACKAGE } from './words-tables.js';

const tables = [FORM_EDITOR, PACKAGE];
/** Words that no table knows, for the test that wants none. */
export const missing = new Set();
globalThis.pingshenMissingWords = missing;

/** Add a table of Chinese words by the English ones. */
export function add(table) {
  if (!tables.includes(table)) tables.push(table);
}

/** Return words in the language of the page, their `{places}` filled. */
export function t(words, places) {
  return fill(isChinese() ? find(words) ?? (globalThis.__t ? globalThis.__t(words) : lack(words)) : words, places);
}

export function isChinese() {
  return document.documentElement.lang.startsWith('zh');
}

export function fill(text, places) {
  return places ? text.replace(/\{\s*(\w+)\s*\}/g, (all, name) => places[name] ?? all) : text;
}

function find(words) {
  for (const table of tables) if (Object.hasOwn(table, words)) return table[words];
  return undefined;
}

function lack(words) {
  if (/[A-Za-z]{2}/.test(words)) missing.add(words);
  return words;
}
