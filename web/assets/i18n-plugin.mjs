// Packages that know no other language: while bundling, the words they show are wrapped in `__t('…')`, which looks them up
// when they are shown (src/studio/tongue.js). The installed files stay as they are; what names bpmn.io is left alone.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILES = /(form-js-(viewer|editor)[\\/]dist[\\/]index\.es\.js|bpmn-js-token-simulation[\\/]lib[\\/].*\.js|dmn-js-(shared|decision-table|boxed-expression)[\\/]lib[\\/].*\.js)$/;
const TONGUE = join(dirname(fileURLToPath(import.meta.url)), 'src/studio/tongue.js').replaceAll('\\', '/');
const EDITOR = join(dirname(fileURLToPath(import.meta.url)), 'node_modules/@bpmn-io/form-js-editor/dist');

// A property that is shown, and its text: `label: 'Text'`, `children: "Text"`, `text: name || 'Text'`, `return 'Text'`.
const SHOWN = String.raw`\b(?:label|name|title|description|children|placeholder|tooltip|text|emptyListMessage|placeholderContent|dateLabel|timeLabel|'aria-label')`;
const PROPERTY = new RegExp(String.raw`(${SHOWN}\s*[:=]\s*(?:[\w.]+ \|\| )?|\breturn |", " ", |\}\), )(['"])([A-Z][A-Za-z][^'"\n\\]{0,160}?)\2(?=\s*[,;}\)\]\n])`, 'g');
// Markup inside a template: title="Text" and >Text<.
const MARKUP = /(\btitle="|<p class="bts-entry placeholder">|\n\s+(?=Token)|`(?=Token))([A-Z][A-Za-z/]*(?: [A-Za-z/]+)*)(?="|<\/p>| <span)/g;
// Sentences with places.
const WHOLE = [
  ['`Create ${getIndefiniteArticle(type)} ${label} element`', "__t('Create {label}', { label })"],
  ['`Remove ${entry.label}`', "__t('Remove {label}', { label: entry.label })"],
  ['`Minimum ${MIN_COLUMNS} columns are allowed`', "__t('Minimum {count} columns are allowed', { count: MIN_COLUMNS })"],
  ['`Maximum ${MAX_COLUMNS} columns are allowed`', "__t('Maximum {count} columns are allowed', { count: MAX_COLUMNS })"],
  ["title=\"${ wait ? 'Remove' : 'Add' } pause point\"", "title=\"${ __t(wait ? 'Remove pause point' : 'Add pause point') }\""],
  ['title="Focus process instance ${scope.id}"', "title=\"${ __t('Focus process instance {id}', { id: scope.id }) }\""],
  ['title="Set animation speed = ${ label }"', "title=\"${ __t('Set animation speed = {label}', { label }) }\""],
  ["'<p class=\"bts-entry placeholder\">No Entries</p>'", "`<p class=\"bts-entry placeholder\">${__t('No Entries')}</p>`"],
  ["valueLabel || 'Select'", "valueLabel || __t('Choose')"],
];

// Text of dmn-js that it forgot to translate; its functions of kind Java and PMML are refused here, and not offered.
const DRAWN = /(createTextVNode\(|"(?:title|aria-label|placeholder)": )"([A-Z][A-Za-z ]+)"/g;
const KINDS = /, \{\s*value: '(?:Java|PMML)',\s*label: '(?:Java|PMML)'\s*\}/g;

/** Return the source of a package's file with its words wrapped. */
export function wrap(source, path) {
  let text = source;
  if (/dmn-js-/.test(path)) {
    text = text.replace(KINDS, '').replace(DRAWN, (all, before, words) => `${before}__t("${words}")`);
    return text === source ? text : `import { t as __t } from '${TONGUE}';\n${text}`;
  }
  for (const [from, to] of WHOLE) text = text.replaceAll(from, to);
  text = text.replace(PROPERTY, (all, before, quote, words) => (/bpmn\.io/i.test(words) || !plain(words) ? all : `${before}__t(${quote}${words}${quote})`));
  if (path.includes('token-simulation')) text = text.replace(MARKUP, (all, before, words) => `${before}\${__t('${words}')}`);
  return text === source ? text : `import { t as __t } from '${TONGUE}';\n${text}`;
}

// Names of classes and keys of the keyboard are not shown.
function plain(words) {
  return !/^(Enter|Escape|Backspace|Delete|Del|Tab|Add|Subtract|ArrowUp|ArrowDown|NaN|Root|FilterContext|Camera access)$/.test(words) && !/^[A-Z][a-z]+[A-Z]\w*$/.test(words);
}

export const i18n = {
  name: 'i18n',
  setup(build) {
    // The form editor draws with the viewer's components: both must have the same preact, whatever versions npm put beside them.
    build.onResolve({ filter: /^preact(\/|$)/ }, ({ path, importer, kind, pluginData }) =>
      (pluginData === 'same' || !/form-js-viewer/.test(importer) ? undefined : build.resolve(path, { kind, resolveDir: EDITOR, pluginData: 'same' })));
    build.onLoad({ filter: FILES }, ({ path }) => ({ contents: wrap(readFileSync(path, 'utf8'), path), loader: 'js' }));
  },
};
