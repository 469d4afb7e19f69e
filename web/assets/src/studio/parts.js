// Small helpers of the studio: elements, icons, style sheets, requests, plain text of a file.

/** Make an element: `el('button', {class: 'btn', onclick}, 'Text')`; attributes that are false or null are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (['value', 'checked', 'disabled', 'hidden', 'selected', 'readOnly', 'open', 'rows'].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An icon of the page's sprite, whose address stands in any icon of the page; without a label it is only drawn. */
export function icon(name, label) {
  const known = document.querySelector('svg use[href*="icons.svg#"]')?.getAttribute('href') ?? '';
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'i');
  if (label) { svg.setAttribute('role', 'img'); svg.setAttribute('aria-label', label); } else svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', known.replace(/#.*/, `#${name}`));
  svg.append(use);
  return svg;
}

/** Bring an editor's style sheet, unless the page has it; resolves when it is there. */
export function style(name) {
  if (document.querySelector(`link[href*="/studio/${name}.css"]`)) return Promise.resolve();
  return new Promise((done) => {
    const link = el('link', { rel: 'stylesheet', href: new URL(`./${name}.css`, import.meta.url.replace(/[^/]*$/, '')).href });
    link.addEventListener('load', done);
    link.addEventListener('error', done);
    document.head.append(link);
  });
}

/**
 * Ask the server, or send it JSON or a form. Resolves to the answer.
 * Rejects with the server's sentence, `status` and `answer`; a page of signing in counts as 401, no connection has no status.
 */
export async function ask(address, body) {
  const isPlain = body === undefined || body instanceof FormData;
  const token = document.querySelector('meta[name="csrf"]')?.content ?? '';
  const response = await fetch(address, {
    method: body === undefined ? 'GET' : 'POST', credentials: 'same-origin', body: isPlain ? body : JSON.stringify(body),
    headers: { Accept: 'application/json', 'X-CSRFToken': token, ...(isPlain ? {} : { 'Content-Type': 'application/json' }) },
  });
  const isJson = (response.headers.get('Content-Type') ?? '').includes('json');
  const answer = isJson ? await response.json() : {};
  if (!response.ok || !isJson) throw Object.assign(new Error(answer.problem || String(response.status)), { status: response.ok || response.redirected ? 401 : response.status, answer });
  return answer;
}

/** A strip of tabs over panels: `tabs([{id, label, panel, shown?()}])` → {strip, choose(id), chosen()}. */
export function tabs(entries, label) {
  let current = null;
  const strip = el('div', { class: 'se-tabs', role: 'tablist', 'aria-label': label });
  const buttons = new Map();
  function choose(id, focus = false) {
    if (current === id) return;
    current = id;
    for (const [name, { button, entry }] of buttons) {
      const on = name === id;
      button.setAttribute('aria-selected', on);
      button.tabIndex = on ? 0 : -1;
      entry.panel.hidden = !on;
      if (on && focus) button.focus();
    }
    buttons.get(id)?.entry.shown?.();
  }
  for (const entry of entries) {
    const key = `se-${Math.random().toString(36).slice(2, 8)}`;
    const button = el('button', { type: 'button', role: 'tab', class: 'se-tab', id: key, 'aria-selected': 'false', 'data-tab': entry.id, onclick: () => choose(entry.id) }, entry.label);
    entry.panel.id ||= `${key}-p`;
    button.setAttribute('aria-controls', entry.panel.id);
    entry.panel.setAttribute('role', 'tabpanel');
    entry.panel.setAttribute('aria-labelledby', key);
    buttons.set(entry.id, { button, entry });
    strip.append(button);
  }
  strip.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const ids = [...buttons.keys()];
    choose(ids[(ids.indexOf(current) + step + ids.length) % ids.length], true);
    event.preventDefault();
  });
  return { strip, choose, chosen: () => current };
}

/** The plain text of a file, to be changed by hand. */
export function source({ text, label, readOnly, onChange }) {
  const area = el('textarea', { class: 'form-control se-source', 'aria-label': label, spellcheck: 'false', rows: 24, readOnly });
  area.value = text;
  area.addEventListener('input', () => onChange?.(area.value));
  return area;
}

/** Call `run` when nothing happened for a while; `flush` at once. */
export function later(run, wait) {
  let timer = null;
  const due = () => { clearTimeout(timer); timer = null; run(); };
  const call = () => { clearTimeout(timer); timer = setTimeout(due, wait); };
  call.flush = () => { if (timer) due(); };
  call.stop = () => { clearTimeout(timer); timer = null; };
  return call;
}
