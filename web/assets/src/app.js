// What the pages do beyond links and forms. Every page works without it, but for the diagrams.
import 'htmx.org';
import { autosave } from './draft.js';
import { outline } from './outline.js';
import { queue } from './queue.js';
import { say } from './say.js';

const root = document.documentElement;
root.classList.add('js');
autosave(document);
queue(document);
outline(document);

// One press is one request: a form that was sent waits for its answer.
document.addEventListener('submit', (event) => {
  const { target: form, submitter } = event;
  const question = submitter?.dataset.sure ?? form.dataset.sure;
  if (question && !window.confirm(question)) { event.preventDefault(); return; }
  if (form.method !== 'post' || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = 'y';
  submitter?.setAttribute('aria-disabled', 'true');
});
window.addEventListener('pageshow', release);
document.addEventListener('htmx:after:swap', release);
function release() {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  for (const button of document.querySelectorAll('button[aria-disabled]')) button.removeAttribute('aria-disabled');
}

// On paper nothing is folded.
window.addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details:not([open])')) { part.dataset.folded = ''; part.open = true; }
});
window.addEventListener('afterprint', () => {
  for (const part of document.querySelectorAll('details[data-folded]')) { delete part.dataset.folded; part.open = false; }
});

// Filters apply when they change; the button for it is for those without scripts.
document.addEventListener('change', (event) => event.target.closest('form[data-auto]')?.requestSubmit());

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-print], [data-fill], [data-rule], [data-cell]');
  if (!button) {
    for (const menu of document.querySelectorAll('details.menu[open], details.pass[open]')) if (!menu.contains(event.target)) menu.open = false;
    return;
  }
  if ('print' in button.dataset) window.print();
  if (button.dataset.fill) {
    document.getElementById('username').value = button.dataset.fill;
    const password = document.getElementById('password');
    password.value = button.dataset.password;
    button.closest('form, main, body').querySelector('form[data-sign-in]')?.requestSubmit();
  }
  if (button.dataset.rule) {
    event.preventDefault();
    const rule = document.getElementById(button.dataset.rule);
    const open = !rule.classList.contains('open');
    for (const other of document.querySelectorAll('.rule.open')) other.classList.remove('open');
    rule.classList.toggle('open', open);
    if (open) { rule.tabIndex = -1; rule.focus({ preventScroll: true }); rule.scrollIntoView({ block: 'nearest' }); }
  }
  if (button.dataset.cell) {
    event.preventDefault();
    openCell(document.getElementById(button.dataset.cell), true);
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of document.querySelectorAll('details.menu[open], details.pass[open]')) { menu.open = false; menu.querySelector('summary').focus(); }
  for (const rule of document.querySelectorAll('.rule.open')) rule.classList.remove('open');
});

// The map of twelve cells: one cell is open beside it; a link to a field inside another cell opens that one.
function openCell(panel, moves) {
  const map = panel.closest('.cells');
  for (const other of map.querySelectorAll('[data-panel]')) other.classList.toggle('shut', other !== panel);
  for (const cell of map.querySelectorAll('[data-cell]')) {
    if (cell.dataset.cell === panel.id) cell.setAttribute('aria-current', 'true'); else cell.removeAttribute('aria-current');
  }
  if (moves) panel.querySelector('input, select, textarea')?.focus();
}
function mapCells() {
  for (const map of document.querySelectorAll('.cells')) {
    const panels = [...map.querySelectorAll('[data-panel]')];
    const first = panels.find((panel) => panel.classList.contains('err')) ?? panels.find((panel) => !panel.querySelector('input:checked')) ?? panels[0];
    if (first) openCell(first, false);
  }
}
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const panel = target.closest('[data-panel]');
  if (panel) openCell(panel, false);
  for (let outer = target.closest('details'); outer; outer = outer.parentElement.closest('details')) outer.open = true;
  const input = target.matches('input, select, textarea') ? target : target.querySelector('input, select, textarea');
  (input ?? target).focus({ preventScroll: true });
  target.scrollIntoView({ block: 'center' });
}
document.addEventListener('click', (event) => { if (event.target.closest('[role=alert] a[href^="#"]')) setTimeout(reveal); });
window.addEventListener('hashchange', reveal);

// The cell on the map tells the answer beside it.
document.addEventListener('change', (event) => {
  const panel = event.target.closest('[data-panel]');
  const first = panel?.querySelector('input[type=radio]');
  if (!first || event.target.name !== first.name) return;
  panel.closest('.cells').querySelector(`[data-cell="${CSS.escape(panel.id)}"]`).dataset.state = event.target.checked ? event.target.value : '';
});

// A mark keeps its meaning when typed: 1640 is 16:40; a radio pressed again is not answered; unknown and a value exclude each other.
document.addEventListener('blur', (event) => {
  if (!event.target.matches?.('input.clock')) return;
  const found = event.target.value.normalize('NFKC').trim().match(/^(\d{1,2})[:.]?(\d{2})$/);
  if (found && found[1] < 24 && found[2] < 60) event.target.value = `${found[1].padStart(2, '0')}:${found[2]}`;
}, true);
let pressed = null;
document.addEventListener('pointerdown', (event) => {
  const radio = event.target.closest('.seg label')?.querySelector('input[type=radio]');
  pressed = radio?.checked ? radio : null;
});
document.addEventListener('click', (event) => {
  if (pressed && event.target === pressed) {
    pressed.checked = false;
    pressed.dispatchEvent(new Event('change', { bubbles: true }));
    pressed = null;
  }
});
document.addEventListener('input', (event) => {
  const field = event.target.closest('.field');
  const box = field?.querySelector(':scope > .unknown [data-unknown]');
  if (!box) return;
  const others = [...field.querySelectorAll(`[name="${CSS.escape(box.name)}"]`)].filter((input) => input !== box);
  if (event.target === box && box.checked) {
    for (const input of others) if (input.type === 'radio') input.checked = false; else input.value = '';
  } else if (others.includes(event.target) && (event.target.type === 'radio' || event.target.value)) box.checked = false;
});

// A day chosen by a word.
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-day]');
  if (!button) return;
  const day = new Date(`${document.getElementById('spoken').dataset.today}T12:00:00Z`);
  day.setUTCDate(day.getUTCDate() + Number(button.dataset.day));
  const [date, time] = button.closest('.when').querySelectorAll('input');
  date.value = day.toISOString().slice(0, 10);
  date.dispatchEvent(new Event('change', { bubbles: true }));
  time?.focus();
});

// The line that tells of a lost connection.
function line() {
  const shown = document.getElementById('offline');
  if (navigator.onLine === Boolean(shown)) {
    shown?.remove();
    if (!navigator.onLine) {
      const text = document.createElement('p');
      text.id = 'offline'; text.className = 'offline'; text.role = 'status'; text.textContent = say('offline');
      document.querySelector('.body')?.prepend(text);
    }
  }
}
window.addEventListener('online', line);
window.addEventListener('offline', line);

function ready() {
  mapCells();
  document.querySelector('[data-focus]')?.focus({ preventScroll: true });
  document.querySelector('[data-focus]')?.scrollIntoView({ block: 'nearest' });
  if (!document.querySelector('[data-focus]')) reveal();
  line();
}
ready();
document.addEventListener('htmx:after:swap', () => {
  mapCells();
  const fresh = document.querySelector('[data-focus]') ?? document.querySelector('details.rep[data-fresh]');
  if (!fresh) return;
  (fresh.matches('details') ? fresh.querySelector('input:not([type=hidden]), select, textarea') ?? fresh : fresh).focus();
});
