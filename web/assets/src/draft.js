// A draft saves itself two seconds after the last key, and tells which questions are asked now.
import { say } from './say.js';

const AFTER_MS = 2000, SOON_MS = 250, AGAIN_MS = 10000;
let timer = null, due = Infinity, changed = 0, saved = 0, running = null;

export function autosave(document) {
  document.addEventListener('input', (event) => touched(event.target, AFTER_MS));
  document.addEventListener('change', (event) => touched(event.target, event.target.matches('[data-live], [type=checkbox], select') ? SOON_MS : AFTER_MS));
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden' && changed > saved) save(current()); });
  window.addEventListener('online', () => { if (changed > saved) save(current()); });
  window.addEventListener('beforeunload', (event) => {
    const form = current();
    if (form?.dataset.draft && changed > saved && !form.dataset.sent) event.preventDefault();
  });
  document.addEventListener('htmx:after:swap', () => { changed += 1; later(SOON_MS); });
  document.addEventListener('htmx:after:request', (event) => {
    const { ctx } = event.detail;
    if (!ctx.response || ctx.response.status < 400 || ctx.text.includes('id="work"')) return;
    event.preventDefault(); // the form stays, with what was typed; the page's sentence stands beside the buttons
    const page = new DOMParser().parseFromString(ctx.text, 'text/html');
    const sentence = page.querySelector('.state p.muted')?.textContent ?? say('notsaved');
    tell(ctx.response.status === 401 ? say('signedout') : sentence, true);
    release();
  });
  document.addEventListener('pingshen:drawer', () => { changed = saved = 0; clearTimeout(timer); });
}

function release() {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  for (const button of document.querySelectorAll('button[aria-disabled]')) button.removeAttribute('aria-disabled');
}

const current = () => document.querySelector('form[data-draft], form[data-state]');

function touched(target, wait) {
  const form = target.closest?.('form[data-draft], form[data-state]');
  if (!form || target.type === 'file') return;
  changed += 1;
  later(wait);
}

function later(wait) {
  // What shows or hides questions is asked soon; typing on does not put it off.
  const at = Date.now() + wait;
  if (due > Date.now() && due < at && wait === AFTER_MS && due - Date.now() <= SOON_MS) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(() => save(current()), wait);
}

async function save(form) {
  if (!form || running || form.dataset.sent) return;
  clearTimeout(timer);
  const at = changed;
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === 'string' && name !== '_action') body.append(name, value);
  running = fetch(form.dataset.draft ?? form.dataset.state, { method: 'POST', body, headers: { Accept: 'application/json' } });
  let wait = AGAIN_MS;
  try {
    const response = await running;
    const answer = await response.json();
    if (response.ok) {
      saved = at; wait = SOON_MS;
      show(form, answer);
    } else if (response.status === 401) {
      tell(say('signedout'), true); wait = 0;
    } else {
      tell(answer.problem ?? say('notsaved'), true); wait = response.status >= 500 ? AGAIN_MS : 0;
    }
  } catch {
    tell(say('notreached'), true);
  } finally {
    running = null;
  }
  if (changed > saved && wait) later(wait);
}

function tell(text, isProblem = false) {
  for (const place of document.querySelectorAll('[data-saved]')) {
    place.textContent = text;
    place.classList.toggle('problem', isProblem);
  }
}

function show(form, answer) {
  const hidden = new Set(answer.hidden), required = new Set(answer.required);
  for (const node of form.querySelectorAll('[data-node]')) {
    node.classList.toggle('off', hidden.has(node.dataset.node));
    const optional = node.querySelector(':scope > label [data-optional], :scope > legend [data-optional]');
    if (optional) optional.hidden = required.has(node.dataset.node);
    const computed = answer.computed?.[node.dataset.node];
    if (computed !== undefined) {
      node.hidden = !computed;
      node.querySelector('[data-computed]').textContent = computed;
    }
  }
  const clock = document.querySelector('[data-clock]');
  if (clock && 'clock' in answer) {
    clock.hidden = !answer.clock.text;
    clock.className = `note ${answer.clock.late ? 'half' : 'done'}`;
    clock.querySelector('[data-clock-text]').textContent = answer.clock.text;
  }
  if (answer.saved) tell(answer.saved);
  for (const place of document.querySelectorAll('[data-missing]')) place.textContent = answer.missing_text;
  for (const [section, text] of Object.entries(answer.sections ?? {})) {
    const place = document.querySelector(`.toc a[href="#${CSS.escape(section)}"] .n`);
    if (place && place.textContent !== text) place.textContent = text;
  }
}
