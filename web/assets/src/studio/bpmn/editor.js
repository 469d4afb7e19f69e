// The diagram editor: bpmn-js with our own properties, menus that offer what runs, a map, and simulation with tokens.
import Modeler from 'bpmn-js/lib/Modeler';
import { CreateAppendAnythingModule } from 'bpmn-js-create-append-anything';
import { BpmnPropertiesPanelModule } from 'bpmn-js-properties-panel';
import TokenSimulation from 'bpmn-js-token-simulation/lib/modeler';
import Minimap from 'diagram-js-minimap';
import { is } from 'bpmn-js/lib/util/ModelUtil';
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import 'bpmn-js/dist/assets/bpmn-font/css/bpmn-embedded.css';
import '@bpmn-io/properties-panel/assets/properties-panel.css';
import 'diagram-js-minimap/assets/diagram-js-minimap.css';
import 'bpmn-js-token-simulation/assets/css/bpmn-js-token-simulation.css';
import '../../../style/studio-bpmn.css';
import drawing from './drawing.js';
import { keep } from './keeping.js';
import menus from './menus.js';
import moddle from './moddle.json';
import properties from './properties.js';

const MIN = 0.2, MAX = 3, READABLE = 0.8;

/** Nothing can be changed: for those who read, and while somebody else draws. */
const locked = {
  __init__: ['lockedCanvas'],
  rules: ['value', { allowed: () => false }],
  lockedCanvas: ['type', class {
    static $inject = ['eventBus'];

    constructor(eventBus) {
      eventBus.on(['element.dblclick', 'create.start', 'connect.start'], 5000, () => false);
      eventBus.on('contextPad.open', 5000, () => false);
    }
  }],
};

/**
 * Open a diagram.
 *
 * @param place the element that becomes the canvas
 * @param options `text`, `names`, `readOnly`, `onChange`, `translate` as for every editor; `shell`: what the page lends
 *   (`panel`, `english`, `link(path)`, `go(path)`, `finding(element)`)
 */
export async function open(place, { path, text, names, readOnly, onChange, translate, shell }) {
  let known = names, quiet = true;
  const cache = new Map();
  const studio = {
    readOnly, english: shell.english, link: shell.link, go: shell.go,
    names: () => known,
    taken: () => new Set((known.steps ?? []).filter(({ file }) => file !== path).map(({ id }) => id)),
    roles: () => (known.roles ?? []).map(({ value }) => value),
    roleName: (role) => { const found = (known.roles ?? []).find(({ value }) => value === role); return found?.name_zh ?? found?.name ?? role; },
    variables: (extra = []) => {
      const form = formOf(modeler);
      const key = `${extra.join()}|${form}`;
      if (!cache.has(key)) cache.set(key, completions(known, extra, form));
      return cache.get(key);
    },
    feel: () => {
      if (!cache.has('feel')) cache.set('feel', { builtins: functions(known), dialect: 'expression' });
      return cache.get('feel');
    },
  };
  const modeler = new Modeler({
    container: place,
    studio,
    moddleExtensions: { ps: moddle },
    propertiesPanel: { parent: shell.panel },
    textRenderer: { defaultStyle: { fontFamily: getComputedStyle(document.body).fontFamily } },
    additionalModules: [
      { translate: ['value', translate] }, BpmnPropertiesPanelModule, CreateAppendAnythingModule, Minimap, TokenSimulation,
      drawing, menus, properties, ...(readOnly ? [locked] : []),
    ],
  });
  place.classList.toggle('is-locked', readOnly);
  const [canvas, registry, overlays, selection, events, stack] = ['canvas', 'elementRegistry', 'overlays', 'selection', 'eventBus', 'commandStack'].map((name) => modeler.get(name));
  const drawn = /<(?:[\w.-]+:)?BPMN(?:Shape|Edge)\b/.test(text);
  const kept = keep(text);
  try {
    await modeler.importXML(drawn ? kept.text : await laidOut(kept.text));
    if (!readOnly) kept.learn((await modeler.saveXML({ format: true })).xml);
  } catch (error) {
    modeler.destroy();
    throw error;
  }
  fit();
  events.on('commandStack.changed', () => { if (!quiet) onChange(); });
  events.on('element.dblclick', 1500, ({ element }) => {
    if (is(element, 'bpmn:CallActivity') && element.businessObject.calledElement && readOnly) shell.go(called(element));
  });
  const size = new ResizeObserver(() => canvas.resized());
  size.observe(place);
  events.on('palette.changed', describe);
  quiet = false;
  if (!drawn && !readOnly) onChange();
  describe();
  await settled();
  events.fire('propertiesPanel.providersChanged');

  function called(element) {
    const process = element.businessObject.calledElement;
    return (known.processes ?? []).find(({ id }) => id === process)?.file ?? `shared/${process}.bpmn`;
  }

  /** Return what is drawn of an element; of a process, its pool. */
  function shown(id) {
    const own = kept.own(id);
    return registry.get(own) ?? registry.find((entry) => entry.businessObject?.processRef?.id === own);
  }

  /** Show everything, beside the palette and not under it. */
  function whole() {
    canvas.zoom('fit-viewport', 'auto');
    const { inner, outer } = canvas.viewbox();
    const palette = place.querySelector('.djs-palette')?.getBoundingClientRect();
    const beside = palette?.width ? palette.right - place.getBoundingClientRect().left + 10 : 0;
    const scale = Math.min(canvas.zoom(), ((outer.width - beside) * 0.98) / inner.width);
    const width = outer.width / scale, height = outer.height / scale;
    canvas.viewbox({ x: inner.x - beside / scale, y: inner.y + inner.height / 2 - height / 2, width, height });
  }

  function fit() {
    canvas.zoom('fit-viewport', 'auto');
    if (canvas.zoom() >= READABLE) return;
    const { inner, outer } = canvas.viewbox();
    const width = outer.width / READABLE, height = outer.height / READABLE;
    const y = inner.height + 60 < height ? inner.y + inner.height / 2 - height / 2 : inner.y - 30;
    canvas.viewbox({ x: inner.x - 90 / READABLE, y, width, height });
  }

  /** Say what the parts of the editor are to those who do not see them. */
  function describe() {
    const svg = place.querySelector('.djs-container > svg');
    svg?.setAttribute('role', 'application');
    svg?.setAttribute('aria-label', translate('Diagram. The same content is under “List”.'));
    const palette = place.querySelector('.djs-palette-entries');
    palette?.setAttribute('role', 'toolbar');
    palette?.setAttribute('aria-label', translate('Palette'));
    for (const entry of palette?.querySelectorAll('.entry') ?? []) entry.title = entry.getAttribute('aria-label') ?? '';
    const map = place.querySelector('.djs-minimap');
    map?.setAttribute('aria-hidden', 'true');
  }

  return {
    usesPanel: true,
    modeler,
    async text() {
      const { xml } = await modeler.saveXML({ format: true });
      return kept.restore(xml);
    },
    markers(findings) {
      for (const element of registry.filter(() => true)) {
        canvas.removeMarker(element, 'st-error');
        canvas.removeMarker(element, 'st-suggestion');
      }
      overlays.remove({ type: 'st-finding' });
      const by = Map.groupBy ? Map.groupBy(findings, ({ element }) => element) : grouped(findings);
      for (const [id, found] of by) {
        const element = shown(id);
        if (!element) continue;
        const isError = found.some(({ level }) => level === 'error');
        canvas.addMarker(element, isError ? 'st-error' : 'st-suggestion');
        if (!element.parent) continue;
        const button = document.createElement('button');
        button.type = 'button';
        button.className = `st-flag ${isError ? 'past' : 'half'}`;
        button.textContent = String(found.length);
        button.title = found.map(({ text: sentence }) => sentence).join('\n');
        button.setAttribute('aria-label', `${found.length} ${button.title}`);
        button.addEventListener('click', () => { selection.select(element); shell.finding?.(id); });
        const middle = element.waypoints ? element.waypoints[Math.floor(element.waypoints.length / 2)] : null;
        const position = middle ? { left: middle.x - Math.min(...element.waypoints.map(({ x }) => x)) - 10, top: middle.y - Math.min(...element.waypoints.map(({ y }) => y)) - 10 } : { top: -11, left: -11 };
        overlays.add(element, 'st-finding', { position, html: button, scale: false });
      }
    },
    reveal(id) {
      const element = shown(id);
      if (!element) return false;
      let root = element;
      while (root.parent) root = root.parent;
      if (root !== canvas.getRootElement()) canvas.setRootElement(root);
      if (canvas.zoom() < READABLE) canvas.zoom(READABLE);
      if (element.parent) canvas.scrollToElement(element, { top: 80, right: 140, bottom: 140, left: 120 });
      selection.select(element);
      return true;
    },
    async svg() {
      const { svg } = await modeler.saveSVG();
      return svg;
    },
    undo() { if (!stack.canUndo()) return false; stack.undo(); return true; },
    redo() { if (!stack.canRedo()) return false; stack.redo(); return true; },
    zoom(how) {
      if (how === 'fit') whole();
      else if (how === 'one') canvas.zoom(1, 'auto');
      else canvas.zoom(Math.min(MAX, Math.max(MIN, canvas.zoom() * (how === 'in' ? 1.25 : 0.8))), 'auto');
      return canvas.zoom();
    },
    onZoom(tell) { events.on('canvas.viewbox.changed', () => tell(canvas.zoom())); tell(canvas.zoom()); },
    minimap(open) { const map = modeler.get('minimap'); map.toggle(open); return map.isOpen(); },
    simulate(active) {
      modeler.get('toggleMode').toggleMode(active);
      const [start] = registry.filter((entry) => is(entry, 'bpmn:StartEvent') && entry.type !== 'label');
      if (active && start) canvas.scrollToElement(start, { top: 160, right: 200, bottom: 160, left: 160 });
      const palette = place.querySelector('.djs-palette-entries');
      palette?.setAttribute('aria-label', translate('Palette'));
      return active;
    },
    find() { setTimeout(() => modeler.get('searchPad').open()); }, // the click that asks for it would close it
    focus() { canvas.focus(); },
    /** Replace the names that expressions may use, after a form or table was changed. */
    learn(found) { known = found; cache.clear(); events.fire('propertiesPanel.providersChanged'); },
    ids: () => registry.getAll().map(({ id }) => kept.theirs(id)),
    label: (id) => registry.get(kept.own(id))?.businessObject?.name,
    path,
    destroy() { size.disconnect(); modeler.destroy(); shell.panel.replaceChildren(); },
  };
}

/** Wait until the panel listens to the selection; it does so after its first picture. */
function settled() {
  return new Promise((done) => { requestAnimationFrame(() => setTimeout(done, 0)); setTimeout(done, 100); });
}

const MODEL = 'http://www.omg.org/spec/BPMN/20100524/MODEL', DI = 'http://www.omg.org/spec/BPMN/20100524/DI';

/** Give a diagram without a drawing one. Only the drawing is taken from the layout: what it does not know stays as it was written. */
async function laidOut(text) {
  const { layoutProcess } = await import('bpmn-auto-layout');
  const parse = (xml) => new DOMParser().parseFromString(xml, 'application/xml');
  const own = parse(text), drawing = parse(await layoutProcess(withEnds(parse(text))));
  for (const old of [...own.getElementsByTagNameNS(DI, 'BPMNDiagram')]) old.remove();
  for (const made of [...drawing.getElementsByTagNameNS(DI, 'BPMNDiagram')]) own.documentElement.append(own.importNode(made, true));
  return new XMLSerializer().serializeToString(own);
}

/** Say at each step which flows come and go: the layout draws no others, and some tools say it at the flows alone. */
function withEnds(tree) {
  const named = new Map([...tree.getElementsByTagNameNS(MODEL, '*')].map((node) => [node.getAttribute('id'), node]));
  for (const flow of tree.getElementsByTagNameNS(MODEL, 'sequenceFlow')) {
    for (const [end, tag] of [['targetRef', 'incoming'], ['sourceRef', 'outgoing']]) {
      const node = named.get(flow.getAttribute(end)), id = flow.getAttribute('id');
      if (!node || !id || [...node.children].some((child) => child.localName === tag && child.textContent.trim() === id)) continue;
      const made = tree.createElementNS(MODEL, node.prefix ? `${node.prefix}:${tag}` : tag);
      made.textContent = id;
      node.append(made);
    }
  }
  return new XMLSerializer().serializeToString(tree);
}

function grouped(findings) {
  const by = new Map();
  for (const finding of findings) by.set(finding.element, [...(by.get(finding.element) ?? []), finding]);
  return by;
}

function formOf(modeler) {
  const [element] = modeler?.get('selection').get() ?? [];
  const values = element?.businessObject?.get?.('extensionElements')?.get('values') ?? [];
  return values.find(({ $type }) => $type === 'ps:Task')?.form ?? values.find(({ $type }) => $type === 'ps:Message')?.form;
}

const plain = (entry) => (typeof entry === 'string' ? { name: entry } : entry);

/** Return what an expression may name, as the FEEL editor wants it. */
function completions(names, extra, form) {
  const fields = (names.forms ?? []).find(({ key }) => key === form)?.fields ?? [];
  const given = {
    answers: { name: 'answers', entries: fields.map(({ key, label }) => ({ name: key, detail: label })) },
    person: { name: 'person' }, record: { name: 'record' },
  };
  return [
    ...extra.map((name) => given[name] ?? { name }),
    ...(names.variables ?? []).map((entry) => ({ name: entry.name, detail: entry.from || undefined })),
    { name: 'case', entries: (names.case ?? []).map(plain).map(({ name, text }) => ({ name, detail: text })) },
    { name: 'profile', entries: (names.profile ?? []).map(plain).map(({ name, text }) => ({ name, detail: text })) },
  ];
}

function functions(names) {
  return (names.functions ?? []).map(({ name, signature, text }) => {
    const inside = /\(([^)]*)\)/.exec(signature ?? '')?.[1] ?? '';
    return { name, type: 'function', info: text || signature, params: inside.split(',').map((part) => part.trim()).filter(Boolean).map((part) => ({ name: part })) };
  });
}
