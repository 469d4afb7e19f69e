// Two versions of a diagram beside each other: what differs is marked with a sign and a colour, both move together.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import 'bpmn-js/dist/assets/bpmn-font/css/bpmn-embedded.css';

const MIN = 0.1, MAX = 3, READABLE = 0.7;

for (const section of document.querySelectorAll('[data-comparison]')) {
  const choice = section.querySelector('[data-comparison-choice]'), told = section.querySelector('[data-told]');
  const fontFamily = getComputedStyle(document.body).fontFamily;
  const sides = [...section.querySelectorAll('[data-side]')].map((place) => ({
    name: place.dataset.side, place, isOpen: false,
    viewer: new NavigatedViewer({ container: place, textRenderer: { defaultStyle: { fontFamily } } }),
  }));
  let file = null, order = [], at = -1, follows = true;

  async function open(path) {
    file = path; order = []; at = -1;
    const url = new URL(section.dataset.comparison, location.href);
    url.searchParams.set('file', path);
    let answer;
    try {
      const response = await fetch(url, { headers: { Accept: 'application/json' } });
      if (!response.ok) throw new Error(response.status);
      answer = await response.json();
    } catch {
      for (const side of sides) say(side, section.dataset.failed);
      return;
    }
    for (const side of sides) {
      const xml = answer[side.name];
      side.isOpen = false;
      if (xml === null) { side.viewer.clear(); say(side, section.dataset.none); continue; }
      try {
        await side.viewer.importXML(xml);
        say(side, '');
        side.isOpen = true;
        mark(side, answer);
      } catch { say(side, section.dataset.failed); }
    }
    const places = new Map();
    for (const side of sides.filter((entry) => entry.isOpen)) {
      for (const id of Object.keys(answer.marks[side.name])) {
        const element = side.viewer.get('elementRegistry').get(id);
        if (element) places.set(id, middle(element));
      }
    }
    order = [...places].sort(([, one], [, other]) => one.x - other.x || one.y - other.y).map(([id]) => id);
    fit();
  }

  function say(side, text) {
    side.place.querySelector('.told')?.remove();
    if (!text) return;
    const found = document.createElement('p');
    found.className = 'told muted small p-3';
    found.textContent = text;
    side.place.append(found);
  }

  function mark(side, { marks, signs, words, english }) {
    const registry = side.viewer.get('elementRegistry'), canvas = side.viewer.get('canvas'), overlays = side.viewer.get('overlays');
    const factory = side.viewer.get('graphicsFactory');
    if (english) {
      for (const element of registry.filter((entry) => !entry.labelTarget)) {
        const own = element.businessObject, name = own.get?.('ps:name_en') ?? own.processRef?.get('ps:name_en');
        if (!name) continue;
        own.name = name;
        for (const shape of [element, ...(element.labels ?? [])]) {
          const graphics = registry.getGraphics(shape);
          if (graphics) factory.update(shape.waypoints ? 'connection' : 'shape', shape, graphics);
        }
      }
    }
    for (const [id, kind] of Object.entries(marks[side.name])) {
      const element = registry.get(id);
      if (!element || !(kind in signs)) continue;
      canvas.addMarker(id, `diff-${kind}`);
      const badge = document.createElement('span');
      badge.className = `badge-${kind}`;
      if (kind === 'moved') badge.append(arrows());
      else badge.textContent = signs[kind];
      badge.title = words[kind];
      overlays.add(id, { position: element.waypoints ? { top: 0, left: 0 } : { top: -11, left: -11 }, html: badge });
    }
  }

  // Drawn, for not every font has it.
  function arrows() {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    for (const [name, value] of [['viewBox', '0 0 16 16'], ['width', 14], ['height', 14], ['fill', 'none'], ['stroke', 'currentColor'], ['stroke-width', 2]]) svg.setAttribute(name, value);
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', 'M1 8h14M4 4.5 1 8l3 3.5M12 4.5 15 8l-3 3.5');
    svg.append(path);
    return svg;
  }

  const middle = (element) => {
    if (!element.waypoints) return { x: element.x + element.width / 2, y: element.y + element.height / 2 };
    const points = element.waypoints, point = points[Math.floor(points.length / 2)];
    return { x: point.x, y: point.y };
  };

  function fit() {
    // Both at one scale: where either begins, they begin.
    const open = sides.filter((side) => side.isOpen);
    if (!open.length) return;
    follows = false;
    const boxes = open.map((side) => side.viewer.get('canvas').viewbox());
    const x = Math.min(...boxes.map(({ inner }) => inner.x)) - 20, y = Math.min(...boxes.map(({ inner }) => inner.y)) - 20;
    const right = Math.max(...boxes.map(({ inner }) => inner.x + inner.width)) + 20;
    const bottom = Math.max(...boxes.map(({ inner }) => inner.y + inner.height)) + 20;
    for (const [index, side] of open.entries()) {
      const { outer } = boxes[index];
      const scale = Math.min(1, Math.max(MIN, Math.min(outer.width / (right - x), outer.height / (bottom - y))));
      side.viewer.get('canvas').viewbox({ x, y, width: outer.width / scale, height: outer.height / scale });
    }
    follows = true;
  }

  for (const side of sides) {
    side.viewer.on('canvas.viewbox.changed', ({ viewbox }) => {
      if (!follows) return;
      follows = false;
      for (const other of sides) {
        if (other === side || !other.isOpen) continue;
        const canvas = other.viewer.get('canvas'), { outer } = canvas.viewbox();
        canvas.viewbox({ x: viewbox.x, y: viewbox.y, width: outer.width / viewbox.scale, height: outer.height / viewbox.scale });
      }
      follows = true;
    });
  }

  function show(id, before = '') {
    let found = false;
    for (const side of sides) {
      if (!side.isOpen) continue;
      const registry = side.viewer.get('elementRegistry'), canvas = side.viewer.get('canvas');
      for (const entry of registry.filter((element) => element.labelTarget === undefined)) canvas.removeMarker(entry.id, 'is-sought');
      const element = registry.get(side.name === 'before' && before ? before : id);
      if (!element) continue;
      canvas.addMarker(element.id, 'is-sought');
      if (found) continue;
      const { x, y } = middle(element), { outer, scale } = canvas.viewbox(), zoom = Math.max(scale, READABLE);
      canvas.viewbox({ x: x - outer.width / zoom / 2, y: y - outer.height / zoom / 2, width: outer.width / zoom, height: outer.height / zoom });
      found = true;
    }
    if (order.includes(id)) {
      at = order.indexOf(id);
      told.textContent = `${at + 1} / ${order.length}`;
    }
  }

  document.addEventListener('click', async (event) => {
    const jump = event.target.closest('[data-jump]');
    if (!jump) return;
    if (jump.dataset.file !== file) { choice.value = jump.dataset.file; await open(jump.dataset.file); }
    section.scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
    show(jump.dataset.jump, jump.dataset.before);
  });
  section.addEventListener('click', (event) => {
    const button = event.target.closest('[data-zoom], [data-step]');
    if (!button) return;
    if (button.dataset.step) {
      if (order.length) show(order[(at + Number(button.dataset.step) + order.length) % order.length]);
      return;
    }
    const open = sides.find((side) => side.isOpen);
    if (!open) return;
    const canvas = open.viewer.get('canvas');
    if (button.dataset.zoom === 'fit') fit();
    else canvas.zoom(Math.min(MAX, Math.max(MIN, canvas.zoom() * (button.dataset.zoom === 'in' ? 1.25 : 0.8))));
  });
  choice.addEventListener('change', () => open(choice.value));
  open(choice.value);
}
