// The diagram of a procedure with the steps of a case lit, for reading only. Its equal in words stands beside it.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import 'bpmn-js/dist/assets/bpmn-font/css/bpmn-embedded.css';

const MIN = 0.25, MAX = 3, READABLE = 0.8;

for (const place of document.querySelectorAll('[data-diagram]')) {
  const section = place.closest('section');
  const choice = section.querySelector('[data-diagram-choice]');
  const viewer = new NavigatedViewer({ container: place, textRenderer: { defaultStyle: { fontFamily: getComputedStyle(document.body).fontFamily } } });
  let calls = {};

  async function open(url) {
    try {
      const response = await fetch(url, { headers: { Accept: 'application/json' } });
      if (!response.ok) throw new Error(response.status);
      const answer = await response.json();
      await viewer.importXML(answer.xml);
      calls = answer.calls;
      show(answer);
      fit();
    } catch {
      const text = document.createElement('p');
      text.className = 'muted small p-3';
      text.textContent = place.dataset.failed;
      place.replaceChildren(text);
    }
  }

  function show({ done, current, names, heat = {} }) {
    const registry = viewer.get('elementRegistry'), canvas = viewer.get('canvas'), overlays = viewer.get('overlays');
    const factory = viewer.get('graphicsFactory');
    // In English the server names steps and lanes; flows and pools carry their English name themselves.
    for (const element of Object.keys(names).length ? registry.filter((entry) => !entry.labelTarget) : []) {
      const own = element.businessObject;
      const name = names[element.id] ?? own.get?.('ps:name_en') ?? own.processRef?.get('ps:name_en');
      if (!name) continue;
      own.name = name;
      for (const shape of [element, ...(element.labels ?? [])]) {
        if (shape.labelTarget && shape.width < 90) { shape.x -= (90 - shape.width) / 2; shape.width = 90; }
        const graphics = registry.getGraphics(shape);
        if (graphics) factory.update(shape.waypoints ? 'connection' : 'shape', shape, graphics);
      }
    }
    for (const id of done) if (registry.get(id)) canvas.addMarker(id, 'is-done');
    for (const [id, count] of Object.entries(current)) {
      if (!registry.get(id)) continue;
      canvas.addMarker(id, 'is-current');
      if (count > 1) overlays.add(id, { position: { top: -10, right: 10 }, html: `<span class="tok">${Number(count)}</span>` });
    }
    // How strongly a step is coloured is told by signs and a number as well.
    for (const [id, { level, text }] of Object.entries(heat)) {
      if (!registry.get(id)) continue;
      canvas.addMarker(id, `heat-${Number(level)}`);
      const badge = document.createElement('span'), sign = document.createElement('i');
      badge.className = 'heat';
      sign.className = `l${Number(level)}`;
      badge.append(sign, text);
      if (text) overlays.add(id, { position: { bottom: 8, left: 6 }, html: badge });
    }
    for (const flow of registry.filter((element) => element.type === 'bpmn:SequenceFlow')) {
      const [from, to] = [flow.source?.id, flow.target?.id];
      if (done.includes(flow.id) || (done.includes(from) && (done.includes(to) || to in current))) canvas.addMarker(flow.id, 'is-done');
    }
    for (const id of Object.keys(calls)) if (registry.get(id)) canvas.addMarker(id, 'is-called');
  }

  function fit() {
    const canvas = viewer.get('canvas');
    canvas.zoom('fit-viewport', 'auto');
    if (canvas.zoom() >= READABLE) return;
    // A long procedure is shown at a readable size, where the work is, or from its beginning.
    const registry = viewer.get('elementRegistry'), { inner, outer } = canvas.viewbox();
    const lit = registry.find((element) => element.width && registry.getGraphics(element).classList.contains('is-current'));
    const width = outer.width / READABLE, height = outer.height / READABLE;
    const middle = lit ? { x: lit.x + lit.width / 2, y: lit.y + lit.height / 2 } : { x: inner.x - 20 + width / 2, y: inner.y + Math.min(inner.height, height) / 2 };
    // Nothing but the diagram in sight, as far as it reaches.
    const within = (at, size, from, length) => (length + 40 <= size ? from + length / 2 - size / 2 : Math.min(Math.max(at - size / 2, from - 20), from + length + 20 - size));
    canvas.viewbox({ x: within(middle.x, width, inner.x, inner.width), y: within(middle.y, height, inner.y, inner.height), width, height });
  }

  viewer.on('element.click', ({ element }) => {
    const called = calls[element.id];
    const option = called && [...choice.options].find((entry) => entry.value.includes(`/${called}.json`));
    if (option) { choice.value = option.value; open(option.value); }
  });
  choice?.addEventListener('change', () => open(choice.value));
  section.addEventListener('click', (event) => {
    const button = event.target.closest('[data-zoom], [data-diagram-toggle]');
    if (!button) return;
    if ('diagramToggle' in button.dataset) {
      const on = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', on);
      section.classList.toggle('words-only', !on);
      return;
    }
    const canvas = viewer.get('canvas');
    if (button.dataset.zoom === 'fit') canvas.zoom('fit-viewport', 'auto');
    else canvas.zoom(Math.min(MAX, Math.max(MIN, canvas.zoom() * (button.dataset.zoom === 'in' ? 1.25 : 0.8))));
  });
  open(place.dataset.diagram);
}
