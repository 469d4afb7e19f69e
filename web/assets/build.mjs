// Bundles the pages' styles and scripts into ../static/dist, each with its hash in manifest.json and a gzipped twin.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { decompress } from 'wawoff2';
import { i18n } from './i18n-plugin.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, '..', 'static', 'dist'), out = `${dist}.new`; // a build that fails leaves the one before
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'fonts'), { recursive: true });

const common = {
  absWorkingDir: here,
  outdir: out,
  bundle: true,
  minify: true,
  target: ['chrome109', 'firefox115', 'safari16'],
  legalComments: 'linked',
  loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl', '.eot': 'empty', '.svg': 'dataurl' },
  logLevel: 'warning',
};
await esbuild.build({ ...common, entryPoints: { app: 'src/app.js', style: 'src/style.css', diagram: 'src/diagram.js', compare: 'src/compare.js' }, format: 'iife' });
// The studio's editors share chunks, and are loaded by its pages alone.
await esbuild.build({
  ...common,
  // Editors are entries of their own, so that each has a style sheet under a name that the page can give.
  entryPoints: {
    'studio/studio': 'src/studio/studio.js', 'studio/page': 'style/studio.css', 'studio/bpmn': 'src/studio/bpmn/editor.js',
    ...Object.fromEntries(['tables', 'forms'].filter((name) => existsSync(join(here, `src/studio/${name}.js`))).map((name) => [`studio/${name}`, `src/studio/${name}.js`])),
  },
  format: 'esm',
  splitting: true,
  plugins: [i18n],
  chunkNames: 'studio/[name]-[hash]',
});

// One sprite of the icons that the templates name: `icon('phone')` is icons/outline/phone.svg of Tabler.
const icons = JSON.parse(readFileSync(join(here, 'icons.json'), 'utf8'));
const symbols = Object.entries(icons).map(([name, file]) => {
  const svg = readFileSync(join(here, 'node_modules/@tabler/icons/icons/outline', `${file}.svg`), 'utf8');
  const body = svg.replace(/<!--[\s\S]*?-->/g, '').replace(/^[\s\S]*?<svg[^>]*>/, '').replace(/<\/svg>\s*$/, '')
    .replace(/<path stroke="none"[^>]*\/>/g, '').replace(/\s+/g, ' ').trim();
  return `<symbol id="${name}" viewBox="0 0 24 24">${body}</symbol>`;
});
writeFileSync(join(out, 'icons.svg'), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>`);

// The faces of printed documents, as the typesetter reads them.
for (const weight of [400, 700]) {
  const packed = readFileSync(join(here, `node_modules/@fontsource/noto-sans-sc/files/noto-sans-sc-chinese-simplified-${weight}-normal.woff2`));
  writeFileSync(join(out, 'fonts', `NotoSansSC-${weight}.ttf`), await decompress(packed));
}

const manifest = {};
for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
  const name = relative(out, join(entry.parentPath, entry.name));
  if (!entry.isFile() || name.startsWith('fonts')) continue;
  const content = readFileSync(join(out, name));
  manifest[name] = createHash('sha256').update(content).digest('hex').slice(0, 12);
  writeFileSync(join(out, `${name}.gz`), gzipSync(content, { level: 9 }));
}
// Modules of the studio load each other by relative names: they share one digest, so that a change in any is a new address for all.
const modules = Object.keys(manifest).filter((name) => /^studio[\\/]/.test(name)).sort();
const shared = createHash('sha256').update(modules.map((name) => manifest[name]).join()).digest('hex').slice(0, 12);
for (const name of modules) manifest[name] = shared;
writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest, null, 1));
rmSync(dist, { recursive: true, force: true });
renameSync(out, dist);
