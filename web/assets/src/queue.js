// The queue by keyboard, and acts on several rows. Single keys can be switched off (WCAG 2.1.4).
import htmx from 'htmx.org';
import { say } from './say.js';

let chosen = -1;
const WIDE = window.matchMedia('(min-width: 1200px)');

export function queue(document) {
  document.addEventListener('keydown', onKey);
  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-select-all]')) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.matches('[data-select-all], [form=bulk]')) count();
  });
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-bulk-clear]')) return;
    for (const box of [...boxes(), ...document.querySelectorAll('[data-select-all]')]) box.checked = false;
    count();
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('table[data-queue] [data-open]');
    const split = document.querySelector('[data-split]');
    if (link && split && WIDE.matches && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      openBeside(link);
    }
    if (event.target.closest('[data-drawer-close]')) closeDrawer();
  });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && !event.isComposing) closeDrawer(); });
  count();
}

async function openBeside(link) {
  const drawer = document.getElementById('drawer');
  const response = await fetch(`${link.href}/drawer`, { headers: { 'HX-Request': 'true' } }).catch(() => null);
  if (!response?.ok) { window.location = link.href; return; }
  drawer.innerHTML = await response.text();
  drawer.hidden = false;
  htmx.process(drawer);
  document.querySelector('[data-split]').classList.add('open');
  for (const row of rows()) row.removeAttribute('data-chosen');
  const row = link.closest('tr');
  row.dataset.chosen = '';
  chosen = rows().indexOf(row);
  document.dispatchEvent(new CustomEvent('pingshen:drawer'));
  document.getElementById('drawer-t')?.focus({ preventScroll: true });
}

function closeDrawer() {
  const drawer = document.getElementById('drawer');
  if (!drawer || drawer.hidden) return;
  drawer.hidden = true;
  drawer.replaceChildren();
  document.querySelector('[data-split]').classList.remove('open');
  rows()[chosen]?.querySelector('[data-open]')?.focus();
}

const rows = () => [...document.querySelectorAll('table[data-queue] tbody tr')];
const boxes = () => [...document.querySelectorAll('input[form=bulk][type=checkbox]')];

function count() {
  const bar = document.querySelector('[data-bulk]');
  if (!bar) return;
  const many = boxes().filter((box) => box.checked).length;
  bar.hidden = many === 0;
  bar.querySelector('[data-bulk-count]').textContent = say('chosen', { count: many });
  for (const row of rows()) row.classList.toggle('sel', Boolean(row.querySelector('input[form=bulk]')?.checked));
}

function onKey(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === 'off') return;
  if (event.target.closest('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], dialog[open]')) return;
  const key = event.key.toLowerCase();
  if (key === '/') { go(event, () => search()); return; }
  if (key === '?') { go(event, () => help()); return; }
  const list = rows();
  if (!list.length) return;
  const row = list[chosen];
  if (key === 'j') go(event, () => choose(list, Math.min(list.length - 1, chosen + 1)));
  else if (key === 'k') go(event, () => choose(list, Math.max(0, chosen - 1)));
  else if (key === 'o' && row) go(event, () => row.querySelector('[data-open]')?.click());
  else if (key === 'c' && row) go(event, () => row.querySelector('[data-claim]')?.click());
  else if (key === 'x' && row) go(event, () => row.querySelector('input[form=bulk]')?.click());
}

function go(event, act) {
  event.preventDefault();
  act();
}

function choose(list, index) {
  for (const row of list) row.removeAttribute('data-chosen');
  chosen = index;
  list[index].dataset.chosen = '';
  list[index].querySelector('[data-open]')?.focus({ preventScroll: true });
  list[index].scrollIntoView({ block: 'nearest' });
}

function search() {
  const field = document.querySelector('[data-search]:not([hidden])');
  if (field?.offsetParent) { field.focus(); field.select(); }
}

function help() {
  document.getElementById('keys')?.showModal();
}
