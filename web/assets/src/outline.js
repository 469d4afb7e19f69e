// The outline of a diagram by keys: up and down go from step to step, Alt with them moves the step, Enter opens it.
// Everything it does is a link or a button of the page; without it the page works the same.
export function outline(document) {
  const steps = () => [...document.querySelectorAll('[data-step]')];
  if (!steps().length) return;

  // After a change the page comes back to its step: whoever listens hears where they are and what happened.
  const target = location.hash.startsWith('#s-') && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && !document.querySelector('[data-focus]')) {
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: 'center' });
  }

  document.addEventListener('keydown', (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.matches('input, select, textarea, summary')) return;
    const step = event.target.closest('[data-step]');
    if (!step || !['ArrowDown', 'ArrowUp', 'Enter'].includes(event.key)) return;
    if (event.key === 'Enter') {
      if (event.target !== step) return;
      event.preventDefault();
      step.querySelector(':scope > .ol-head a')?.click();
      return;
    }
    event.preventDefault();
    if (event.altKey) {
      step.querySelector(`:scope > .ol-head [data-move="${event.key === 'ArrowUp' ? 'up' : 'down'}"]`)?.click();
      return;
    }
    const all = steps();
    const next = all[all.indexOf(step) + (event.key === 'ArrowDown' ? 1 : -1)];
    next?.focus();
  });
}
