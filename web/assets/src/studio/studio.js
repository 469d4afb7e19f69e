// The studio's page: files of a draft, the editor of the open one, what the check finds, saving as one goes.
//
// An editor is a module with `open(place, { path, text, key, names, readOnly, onChange, translate, shell })` that resolves to
// { text(): Promise<string>, markers(findings), reveal(element): bool, destroy(), and where it has them: svg(), undo(): bool, redo(): bool,
//   zoom(how), onZoom(tell), minimap(open), simulate(active), find(), learn(names), usesPanel }.
// `names` is the answer of GET …/names; `shell` is what the page lends: { panel, english, link(path, element), go(path, element), finding(element) }.
import { ask as request, el, icon } from './parts.js';
import { add as addWords, t } from './tongue.js';
import { WORDS } from './words.js';

addWords(WORDS);

const root = document.querySelector('[data-studio]');
if (root) start(root);

function start(page) {
  const { api, key } = page.dataset;
  const isDraft = page.dataset.draft === 'true';
  const english = !document.documentElement.lang.startsWith('zh');
  const at = (name) => page.querySelector(`[data-st="${name}"]`);
  const place = at('place'), panel = at('panel'), tree = at('tree'), list = at('findings'), state = at('state'), bar = at('bar');
  const token = document.querySelector('meta[name="csrf"]')?.content ?? '';
  const SAVE_AFTER_MS = 800, CHECK_AFTER_MS = 800, BEAT_MS = 60_000, KEEPALIVE_BYTES = 60_000;

  let files = [], revision = 0, findings = [], lock = { mine: !isDraft, name: '' };
  let open = null; // { path, editor, names, readOnly }
  let opening = 0, isDirty = false, saving = null, retryMs = 2000, conflict = null;
  let saveTimer, checkTimer, retryTimer, namesTimer, checkTurn = 0;
  const pending = new Map(); // path → text, drawn and not yet acknowledged

  // ── the server ──

  const ask = (address, body) => request(`${api}/${address}`, body);
  const encode = (path) => path.split('/').map(encodeURIComponent).join('/');

  // ── what was drawn here and is not yet on the server ──

  const shelf = `studio:${key}:`;
  function keep(path, text, from) {
    try { localStorage.setItem(shelf + path, JSON.stringify({ text, revision: from, at: new Date().toISOString() })); } catch { /* full or refused: the page itself still has it */ }
  }
  function forget(path) {
    try { localStorage.removeItem(shelf + path); } catch { /* nothing was kept then */ }
  }
  function kept() {
    const found = [];
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(shelf)) found.push({ path: name.slice(shelf.length), ...JSON.parse(localStorage.getItem(name)) });
    } catch { /* no storage */ }
    return found;
  }

  // ── saving ──

  function changed() {
    if (!open || open.readOnly) return;
    isDirty = true;
    say('saving');
    clearTimeout(saveTimer);
    saveTimer = setTimeout(save, SAVE_AFTER_MS);
    clearTimeout(checkTimer);
    if (conflict) checkTimer = setTimeout(check, CHECK_AFTER_MS); // a save tells the findings too
  }

  async function collect() {
    if (!isDirty || !open) return;
    isDirty = false;
    const { path, editor } = open;
    try {
      const text = await editor.text();
      pending.set(path, text);
      keep(path, text, revision);
    } catch (error) {
      isDirty = true;
      throw error;
    }
  }

  /** Send what is not yet there. Resolves when everything drawn until now is acknowledged or has to wait. */
  async function save() {
    clearTimeout(saveTimer);
    clearTimeout(retryTimer);
    if (saving) { await saving; return isDirty || pending.size ? save() : undefined; }
    saving = send().finally(() => { saving = null; });
    await saving;
    if (isDirty && !conflict) saveTimer = setTimeout(save, SAVE_AFTER_MS);
    return undefined;
  }

  async function send() {
    try { await collect(); } catch (error) { say('failed', error.message); return; }
    if (!pending.size || !isDraft) return;
    if (conflict) { say('failed', conflict.problem); return; }
    const sent = new Map(pending);
    try {
      const answer = await ask('files', { revision, files: Object.fromEntries(sent), what: [...sent.keys()].map((path) => nameOf(path)).join(', ') });
      ({ revision } = answer);
      for (const [path, text] of sent) {
        if (pending.get(path) !== text) continue;
        pending.delete(path);
        forget(path);
        const file = files.find((entry) => entry.path === path);
        if (file) file.changed = true;
      }
      retryMs = 2000;
      showSteps();
      showTree();
      if (!isDirty) { show(answer.findings ?? findings); say('saved'); }
      learnSoon();
    } catch (error) {
      if (error.status === 409) return refused(error);
      say(error.status === 401 ? 'signedout' : error.status ? 'failed' : 'offline', error.status ? error.message : '');
      if (!error.status || error.status >= 500 || error.status === 429) {
        retryTimer = setTimeout(save, retryMs);
        retryMs = Math.min(30_000, retryMs * 2);
      }
    }
  }

  /** Somebody else saved, or took the draft: what was drawn here stays, and the person decides. */
  function refused(error) {
    conflict = { problem: error.message, ...error.answer };
    if (error.answer.lock) lock = error.answer.lock;
    showLock();
    say('failed', error.message);
    tell('past', error.message, [
      [t('Take over and save mine'), () => settle(true)],
      [t('Leave mine, show theirs'), () => settle(false)],
    ]);
  }

  async function settle(mine) {
    try {
      const held = await ask('lock', { take: mine });
      lock = held;
      const now = await ask('files');
      ({ revision, files } = now);
      conflict = null;
      hush();
      if (mine) {
        await collect().catch(() => undefined);
        await save();
        showTree();
      } else {
        for (const path of pending.keys()) forget(path);
        pending.clear();
        isDirty = false;
        await show_(open?.path, undefined, true);
        say('saved');
      }
      showLock();
      showSteps();
    } catch (error) {
      tell('past', error.message, [[t('Try again'), () => settle(mine)]]);
    }
  }

  // ── the check ──

  async function check() {
    clearTimeout(checkTimer);
    const turn = (checkTurn += 1);
    const texts = Object.fromEntries(pending);
    try {
      if (isDirty && open) texts[open.path] = await open.editor.text();
      const answer = await ask('check', { files: texts });
      if (turn === checkTurn) show(answer.findings);
    } catch (error) {
      if (error.status && error.status !== 401) at('checked').textContent = t('Not checked: {reason}', { reason: error.message });
    }
  }

  const weight = ({ level }) => (level === 'error' ? 0 : 1);

  function show(found) {
    findings = [...found].sort((one, other) => weight(one) - weight(other));
    const errors = findings.filter(({ level }) => level === 'error').length;
    count(at('errors'), errors, '{count} to mend');
    count(at('hints'), findings.length - errors, '{count} suggestions');
    at('none').hidden = findings.length > 0;
    const simple = findings.filter(({ fix, level }) => level === 'error' && fix && !fix.choices); // a suggestion is the person's to take
    at('mendall').hidden = simple.length < 2 || !isDraft || !lock.mine;
    at('mendall').textContent = t('Mend all {count}', { count: simple.length });
    at('checked').textContent = t('Checked {time}', { time: clock() });
    list.replaceChildren(...findings.slice(0, 200).map(line));
    open?.editor.markers?.(findings.filter(({ file }) => file === open.path));
    for (const entry of tree.querySelectorAll('a[data-path]')) {
      const bad = findings.some(({ file, level }) => file === entry.dataset.path && level === 'error');
      entry.classList.toggle('has-error', bad);
      entry.querySelector('.st-bad')?.remove();
      if (bad) entry.append(el('span', { class: 'st-bad', title: t('to mend') }, el('span', { class: 'vh' }, t('to mend'))));
    }
  }

  function count(tag, number, words) {
    tag.hidden = number === 0;
    tag.lastElementChild.textContent = t(words, { count: number });
  }

  function line(finding) {
    const { level, file, element, text, mend, fix } = finding;
    const target = files.some(({ path }) => path === file) ? file : null;
    const label = file === open?.path && element ? open.editor.label?.(element) : undefined;
    const where = el('span', { class: 'st-where muted' }, nameOf(file), element ? (label ? el('span', { title: element }, t(' · “{label}”', { label })) : el('span', { class: 'code' }, ` ${element}`)) : '');
    return el('li', { 'data-element': element ?? '', 'data-file': file ?? '' },
      icon(level === 'error' ? 'x' : 'info', level === 'error' ? t('To mend') : t('Suggestion')),
      el('div', {}, el('b', {}, text), mend ? el('span', {}, ` ${mend}`) : '', ' ', where),
      el('span', { class: 'end row-x nw' },
        fix && isDraft && lock.mine ? mendPart(finding) : '',
        target ? el('a', { href: link(file, element), onclick: (event) => { event.preventDefault(); go(file, element); } }, t('Go there'), el('span', { class: 'vh' }, ` ${element ?? file}`)) : ''));
  }

  // A mend is worked out by the check and carried out by the server (engine/workflow/mending.py); some need a choice first.

  function mendPart({ fix, text }) {
    const label = el('span', {}, t('Mend it'), el('span', { class: 'vh' }, ` ${text}`));
    if (!fix.choices) return el('button', { class: 'btn btn-s', type: 'button', onclick: () => mendAll([fix]) }, label);
    const choice = el('select', { class: 'form-select', 'aria-label': `${t('Mend it')}: ${text}`, onchange: () => { if (choice.value) mendAll([{ ...fix, choice: choice.value }]); } },
      el('option', { value: '' }, t('Mend it: choose')), ...fix.choices.map((value) => el('option', { value }, wordOf(value))));
    return choice;
  }

  function wordOf(value) {
    const { roles = [], forms = [], states = [] } = open?.names ?? {};
    const found = [...roles, ...states].find((entry_) => entry_.value === value) ?? forms.find((entry_) => entry_.key === value);
    return found ? (english ? found.title_en : found.title) ?? found.name ?? value : value;
  }

  async function mendAll(fixes) {
    await save();
    if (pending.size || conflict) return;
    let done = 0, paths = [], problem = '';
    for (const fix of fixes) {
      try {
        const answer = await ask('mend', { revision, fix });
        ({ revision } = answer);
        paths = [...paths, ...(answer.paths ?? [])];
        findings = answer.findings ?? findings;
        done += 1;
      } catch (error) {
        if (error.status === 409) { refused(error); return; }
        problem = error.message;
      }
    }
    await refresh();
    if (paths.includes(open?.path)) await show_(open.path, fixes[0].element, true);
    show(findings);
    if (problem) tell('half', t('Not mended: {reason}', { reason: problem }), []);
    announce(t('{count} mended', { count: done }));
    if (done) say('saved');
  }

  // ── files ──

  const nameOf = (path) => { const file = files.find((entry) => entry.path === path); return (file && (english ? file.name_en || file.name : file.name || file.name_en)) || path || ''; };
  const link = (path, element) => `?${new URLSearchParams({ file: path, ...(element ? { element } : {}) })}`;

  const SECTIONS = [
    ['Procedure', (path) => /^[^/]+\.bpmn$/.test(path)], ['Shared parts', (path) => path.startsWith('shared/')],
    ['Decision tables', (path) => path.endsWith('.dmn')], ['Forms', (path) => path.startsWith('forms/')],
    ['Settings', (path) => path === 'procedure.toml'], ['Scenarios', (path) => /^scenarios\/[^/]+\.toml$/.test(path)],
  ];
  const ICONS = { diagram: 'sitemap', table: 'grid', form: 'file', manifest: 'settings', scenario: 'play' };

  function showTree() {
    const wanted = at('search').value.trim().toLowerCase();
    const opened = new Set([...tree.querySelectorAll('details[open]')].map((entry) => entry.dataset.section));
    const isFirst = !tree.childElementCount;
    tree.replaceChildren(...SECTIONS.flatMap(([label, belongs]) => {
      const found = files.filter(({ path, name, name_en }) => belongs(path) && (!wanted || `${path} ${name} ${name_en}`.toLowerCase().includes(wanted)));
      if (!found.length) return [];
      const folded = label === 'Scenarios' || label === 'Forms';
      const isOpen = wanted || (isFirst ? !folded || found.some(({ path }) => path === open?.path) : opened.has(label));
      return [el('details', { 'data-section': label, open: isOpen },
        el('summary', { class: 'g' }, t(label), el('span', { class: 'muted' }, ` ${found.length}`)),
        el('ul', { class: 'plain' }, ...found.sort((one, other) => nameOf(one.path).localeCompare(nameOf(other.path), english ? 'en' : 'zh')).map(entry)))];
    }));
    show(findings);
  }

  function entry(file) {
    const scenario = /^scenarios\/([^/]+)\.toml$/.exec(file.path)?.[1];
    const current = file.path === open?.path;
    return el('li', {}, el('a', {
      href: scenario ? `${api}/scenarios/${encodeURIComponent(scenario)}` : link(file.path), 'data-path': file.path, title: file.path, 'aria-current': current ? 'page' : null,
      onclick: scenario ? null : (event) => { if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); fold('tree', false); go(file.path); },
    }, icon(ICONS[file.kind] ?? 'file'), el('span', { class: 'st-name' }, nameOf(file.path)), file.changed ? el('span', { class: 'dot' }, t('changed')) : ''));
  }

  async function refresh() {
    const answer = await ask('files');
    ({ files, revision } = answer);
    lock = answer.lock?.name || !isDraft ? { ...answer.lock } : lock;
    showTree();
    showSteps();
  }

  const readOnly = () => !isDraft || !lock.mine;

  /** Open a file at an element; what is drawn in the one before is sent first. */
  async function go(path, element) {
    if (path === open?.path) { open.editor.reveal(element); note(path, element, true); return; }
    clearTimeout(saveTimer);
    await collect().catch(() => undefined);
    save();
    await show_(path, element);
    note(path, element, true);
  }

  function note(path, element, push) {
    history[push ? 'pushState' : 'replaceState']({ path, element }, '', link(path, element));
  }

  // A file that is kept with the open one, such as the examples of a table: read, and saved as one goes (null takes it away).
  async function readBeside(path) {
    if (pending.has(path)) return pending.get(path);
    return files.some((file) => file.path === path) ? (await ask(`files/${encode(path)}`)).text : null;
  }
  function putBeside(path, text) {
    if (readOnly() || (text === null && !pending.has(path) && !files.some((file) => file.path === path))) return;
    pending.set(path, text);
    if (text !== null) keep(path, text, revision);
    say('saving');
    clearTimeout(saveTimer);
    saveTimer = setTimeout(save, SAVE_AFTER_MS);
    clearTimeout(checkTimer);
    checkTimer = setTimeout(check, CHECK_AFTER_MS);
  }

  const MODULES = { diagram: () => import('./bpmn/editor.js'), table: () => import('./tables.js'), form: () => import('./forms.js') };

  async function show_(path, element, again = false) {
    if (!path) return;
    const turn = (opening += 1);
    const file = files.find((candidate) => candidate.path === path);
    if (!file) { tell('half', t('There is no file {path} in this procedure.', { path }), []); return; }
    place.setAttribute('aria-busy', 'true');
    const slow = setTimeout(() => page.classList.add('is-slow'), 400);
    try {
      const load = MODULES[file.kind] ?? (async () => ({ open: openPlain }));
      const wantsStyle = { diagram: 'bpmn', table: 'tables', form: 'forms' }[file.kind];
      const [module, answer, names] = await Promise.all([load(), typeof pending.get(path) === 'string' ? { text: pending.get(path) } : ask(`files/${encode(path)}`), ask(`names?file=${encodeURIComponent(path)}`), wantsStyle && sheet(wantsStyle)]);
      if (turn !== opening) return;
      if (open) { open.editor.destroy(); open = null; }
      place.replaceChildren();
      panel.replaceChildren();
      const canvas = el('div', { class: 'st-editor' });
      place.append(canvas);
      const isFixed = readOnly();
      const editor = await module.open(canvas, {
        path, text: answer.text, key, names, readOnly: isFixed, onChange: changed, translate: t,
        shell: { panel, english, link, go, finding: showFinding, read: readBeside, put: putBeside },
      }).catch((error) => unreadable(canvas, path, answer.text, names, isFixed, error));
      if (turn !== opening) { editor.destroy(); return; }
      open = { path, editor, names, readOnly: isFixed, kind: file.kind };
      page.dataset.kind = file.kind;
      page.classList.toggle('no-panel', !editor.usesPanel);
      for (const button of page.querySelectorAll('[data-needs]')) button.hidden = typeof editor[button.dataset.needs] !== 'function';
      at('title').textContent = nameOf(path);
      at('outline').hidden = at('drawing').hidden = file.kind !== 'diagram';
      if (at('remove')) at('remove').hidden = isFixed || !file.removable;
      at('outline').href = `${api}/outline/${encode(path)}`;
      at('file').href = `${api}/export/${encode(path)}`;
      editor.onZoom?.((scale) => { at('zoom').textContent = `${Math.round(scale * 100)}%`; });
      document.title = `${nameOf(path)} · ${page.dataset.title}`;
      for (const other of tree.querySelectorAll('a[data-path]')) {
        if (other.dataset.path === path) { other.setAttribute('aria-current', 'page'); other.closest('details').open = true; other.scrollIntoView({ block: 'nearest' }); } else other.removeAttribute('aria-current');
      }
      editor.markers?.(findings.filter((finding) => finding.file === path));
      if (element) editor.reveal(element);
      showSteps();
    } catch (error) {
      tell('past', t('{name} could not be opened: {reason}', { name: nameOf(path), reason: error.status ? error.message : t('no connection') }), [[t('Try again'), () => { hush(); show_(path, element, again); }]]);
    } finally {
      clearTimeout(slow);
      page.classList.remove('is-slow');
      if (turn === opening) place.removeAttribute('aria-busy');
    }
  }

  /** A file that its editor cannot read is shown as text, so that it can be mended. */
  async function unreadable(canvas, path, text, names, isFixed, error) {
    tell('past', t('{name} could not be drawn: {reason}', { name: nameOf(path), reason: String(error.message ?? error).slice(0, 200) }), []);
    canvas.replaceChildren();
    return openPlain(canvas, { text, readOnly: isFixed, onChange: changed, path });
  }

  async function openPlain(canvas, { path, text, readOnly: isFixed, onChange }) {
    const area = el('textarea', { class: 'form-control st-plain', spellcheck: 'false', 'aria-label': path, readonly: isFixed ? '' : null });
    area.value = text;
    area.addEventListener('input', onChange);
    canvas.append(area);
    return {
      text: async () => area.value,
      markers() {},
      reveal: () => false,
      find() { area.focus(); },
      destroy() {},
    };
  }

  function sheet(name) {
    const address = page.dataset[`sheet${name[0].toUpperCase()}${name.slice(1)}`];
    if (!address || document.querySelector(`link[href="${address}"]`)) return undefined;
    return new Promise((done) => {
      document.head.append(el('link', { rel: 'stylesheet', href: address, onload: done, onerror: done }));
    });
  }

  function showFinding(element) {
    fold('find', true);
    const found = [...list.children].find((entry_) => entry_.dataset.element === element && entry_.dataset.file === open?.path);
    found?.scrollIntoView({ block: 'nearest' });
    found?.classList.add('lit');
    setTimeout(() => found?.classList.remove('lit'), 2000);
  }

  /** Names change with what was saved: bring them to the open editor, not more often than needed. */
  function learnSoon() {
    clearTimeout(namesTimer);
    namesTimer = setTimeout(async () => {
      if (!open?.editor.learn) return;
      const names = await ask(`names?file=${encodeURIComponent(open.path)}`).catch(() => undefined);
      if (names) open?.editor.learn?.(names);
    }, 1500);
  }

  // ── new files, and files taken away ──

  /** Look at a file after the server changed which there are. */
  async function lookAt(path) {
    await refresh();
    await show_(path, undefined, true);
    note(path, undefined, true);
    check();
  }

  async function add(form) {
    await save();
    if (pending.size || conflict) return;
    const body = new FormData(form);
    body.set('revision', revision);
    const problem = form.querySelector('[data-st="new-problem"]');
    problem.textContent = '';
    try {
      const { path } = await ask('new', body);
      form.closest('dialog').close();
      form.reset();
      proposed = '';
      await lookAt(path);
    } catch (error) {
      if (error.status === 409) { form.closest('dialog').close(); refused(error); } else problem.textContent = error.status ? error.message : t('no connection');
    }
  }

  async function takeAway() {
    const { path } = open;
    await save();
    if (pending.size || conflict) return;
    try {
      await ask('remove', { revision, path });
    } catch (error) {
      if (error.status === 409) refused(error); else tell('past', error.status ? error.message : t('no connection'), []);
      return;
    }
    await lookAt((files.find((file) => file.path === `${key}.bpmn`) ?? files.find((file) => file.kind === 'diagram' && file.path !== path))?.path);
    announce(t('Taken away; it can be undone.'));
  }

  // ── undo: the editor's own steps first, then saves ──

  async function turn(back) {
    if (!open || readOnly()) return;
    if (back ? open.editor.undo?.() : open.editor.redo?.()) return;
    await save();
    if (pending.size || conflict) return;
    place.setAttribute('aria-busy', 'true');
    try {
      const answer = await ask(back ? 'undo' : 'redo', { revision });
      ({ revision } = answer);
      await refresh();
      if (!answer.paths?.length) { announce(t(back ? 'Nothing to undo.' : 'Nothing to redo.')); return; }
      const path = answer.paths.includes(open.path) ? open.path : answer.paths.find((candidate) => files.some((file) => file.path === candidate)) ?? open.path;
      await show_(path, undefined, true);
      note(path, undefined, false);
      if (answer.findings) show(answer.findings); else check();
      announce(t(back ? 'Undone: {name}' : 'Done again: {name}', { name: nameOf(path) }));
      say('saved');
    } catch (error) {
      if (error.status === 409) refused(error);
      else say(error.status ? 'failed' : 'offline', error.message);
    } finally {
      place.removeAttribute('aria-busy');
    }
  }

  function showSteps() {
    at('undo').disabled = readOnly();
    at('redo').disabled = readOnly();
  }

  // ── who writes ──

  async function beat(take = false) {
    if (!isDraft) return;
    try {
      const was = lock.mine;
      const held = await ask('lock', { take });
      lock = held;
      showLock();
      if (lock.mine !== was && open) {
        if (lock.mine && held.revision !== undefined && held.revision !== revision) await refresh();
        if (!lock.mine && (isDirty || pending.size)) { await collect().catch(() => undefined); refused({ message: t('{name} has taken the draft over.', { name: lock.name }), answer: { lock: held } }); return; }
        await show_(open.path, undefined, true);
      }
    } catch (error) {
      if (!error.status) say('offline', '');
    }
  }

  function showLock() {
    const other = isDraft && !lock.mine;
    at('lock').hidden = !isDraft || (!lock.mine && !lock.name);
    at('holder').textContent = lock.mine ? t('You are writing') : t('{name} is writing', { name: lock.name });
    at('take').hidden = !other;
    page.classList.toggle('is-read', other || !isDraft);
  }

  // ── telling ──

  const clock = () => new Date().toLocaleTimeString(english ? 'en-GB' : 'zh-CN', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: page.dataset.zone });

  function say(what, reason = '') {
    const texts = {
      saving: () => t('Saving…'), saved: () => t('Saved {time}', { time: clock() }), failed: () => `${t('Not saved')}${reason ? ` · ${reason}` : ''}`,
      offline: () => t('No connection. What you drew is kept on this device.'), signedout: () => t('Your sign-in has ended. What you drew is kept on this device.'),
    };
    state.dataset.is = what;
    const text = texts[what]();
    if (state.textContent !== text) state.textContent = text;
  }

  function tell(kind, text, buttons) {
    bar.hidden = false;
    bar.className = `st-bar note ${kind}`;
    bar.replaceChildren(icon('alert'), el('div', {}, text), el('span', { class: 'end row-x' }, ...buttons.map(([label, act]) => el('button', { class: 'btn btn-s', type: 'button', onclick: act }, label)),
      buttons.length ? '' : el('button', { class: 'btn btn-s btn-quiet', type: 'button', onclick: hush }, t('Close'))));
  }

  function hush() { bar.hidden = true; bar.replaceChildren(); }

  function announce(text) { at('said').textContent = text; }

  // ── folding, on narrow screens ──

  function fold(name, isOpen) {
    for (const other of ['tree', 'panel', 'find']) page.classList.toggle(`show-${other}`, other === name && isOpen);
    for (const button of page.querySelectorAll('[data-fold]')) button.setAttribute('aria-expanded', String(page.classList.contains(`show-${button.dataset.fold}`)));
  }

  // ── printing and pictures ──

  async function picture() {
    const svg = await open.editor.svg();
    const blob = new Blob([svg], { type: 'image/svg+xml' });
    const address = URL.createObjectURL(blob);
    const anchor = el('a', { href: address, download: `${open.path.split('/').pop().replace(/\.\w+$/, '')}.svg` });
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  async function print() {
    const svg = await open.editor.svg?.();
    document.querySelector('.st-print')?.remove();
    const figure = el('figure', { class: 'st-print' }, el('figcaption', {}, el('b', {}, nameOf(open.path)), ` ${page.dataset.title} · ${new Date().toLocaleDateString(english ? 'en-GB' : 'zh-CN')}`));
    if (svg) {
      // A picture of its own: its arrow heads have the same names as those of the hidden canvas.
      const image = el('img', { alt: nameOf(open.path), src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` });
      figure.append(image);
      await image.decode().catch(() => undefined);
    } else figure.append(el('pre', {}, await open.editor.text()));
    document.body.append(figure);
    document.body.classList.add('st-printing');
    addEventListener('afterprint', () => { figure.remove(); document.body.classList.remove('st-printing'); }, { once: true });
    window.print();
  }

  // ── what can be pressed ──

  const ACTS = {
    undo: () => turn(true), redo: () => turn(false), in: () => open?.editor.zoom('in'), out: () => open?.editor.zoom('out'), fit: () => open?.editor.zoom('fit'), one: () => open?.editor.zoom('one'),
    minimap: (button) => button.setAttribute('aria-pressed', String(open.editor.minimap(button.getAttribute('aria-pressed') !== 'true'))),
    simulate: (button) => { const on = button.getAttribute('aria-pressed') !== 'true'; open.editor.simulate(on); button.setAttribute('aria-pressed', String(on)); page.classList.toggle('is-simulating', on); if (on) tell('half', t('Press the triangle at a start: a mark walks along the lines. Press an arrow at a diamond to choose its way, and a triangle at a step to go on. Nothing is saved.'), [[t('End the simulation'), () => { hush(); ACTS.simulate(button); }]]); else hush(); },
    svg: picture, print, find: () => open?.editor.find?.(), keys: () => document.getElementById('st-keys').showModal(), take: () => beat(true),
    new: () => { document.getElementById('st-new').showModal(); document.getElementById('st-new-name').focus(); }, remove: takeAway,
    save: () => save(), mendall: () => mendAll(findings.filter(({ fix, level }) => level === 'error' && fix && !fix.choices).map(({ fix }) => fix)),
  };
  page.addEventListener('click', (event) => {
    const button = event.target.closest('[data-act], [data-fold]');
    if (!button) return;
    if (button.dataset.fold) fold(button.dataset.fold, !page.classList.contains(`show-${button.dataset.fold}`));
    else ACTS[button.dataset.act]?.(button);
  });
  at('search').addEventListener('input', showTree);
  // A key is worked out of the English name as long as nobody writes one.
  const words = document.getElementById('st-new-en'), keyField = document.getElementById('st-new-key');
  let proposed = '';
  for (const input of [words, document.getElementById('st-new-kind')]) {
    input?.addEventListener('input', () => {
      if (keyField.value !== proposed) return;
      const taken = new Set(files.map(({ path }) => /([^/]+)\.\w+$/.exec(path)?.[1]));
      const stem = words.value.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^[^a-z]+|_+$/g, '').slice(0, 36);
      proposed = stem;
      for (let number = 2; stem && taken.has(proposed); number += 1) proposed = `${stem}_${number}`;
      keyField.value = proposed;
    });
  }
  document.querySelector('#st-new form')?.addEventListener('submit', (event) => {
    if (event.submitter?.value === 'close') return;
    event.preventDefault();
    add(event.target);
  });

  document.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    const command = (event.ctrlKey || event.metaKey) && !event.altKey;
    const writes = event.target.closest?.('input, textarea, select, [contenteditable="true"], .cm-editor, .djs-direct-editing-parent');
    const name = event.key.toLowerCase();
    const take = (act) => { event.preventDefault(); event.stopPropagation(); act(); };
    if (command && name === 's') take(() => save().then(() => { if (!pending.size && !isDirty && isDraft) say('saved'); }));
    else if (command && name === 'f' && open?.editor.find && !event.shiftKey) take(() => open.editor.find());
    else if (command && !writes && name === 'z') take(() => turn(!event.shiftKey));
    else if (command && !writes && name === 'y') take(() => turn(false));
    else if (event.key === '?' && !writes && !command) take(ACTS.keys);
    else if (event.key === 'Escape') fold('', false);
  }, true);

  addEventListener('popstate', ({ state: was }) => { const there = was ?? place_(); if (there?.path) { if (there.path === open?.path) open.editor.reveal(there.element); else leave().then(() => show_(there.path, there.element)); } });
  addEventListener('online', () => { retryMs = 2000; save(); beat(); });
  addEventListener('offline', () => say('offline'));
  document.addEventListener('visibilitychange', () => { if (document.hidden) save(); else beat(); });
  addEventListener('pagehide', last);
  setInterval(beat, BEAT_MS);

  async function leave() { await collect().catch(() => undefined); save(); }

  /** The page goes: what is drawn is kept here, and sent along if it is small enough. */
  function last() {
    collect().catch(() => undefined).then(() => {
      if (!pending.size || conflict || !isDraft) return;
      const body = JSON.stringify({ revision, files: Object.fromEntries(pending), what: '' });
      if (new Blob([body]).size < KEEPALIVE_BYTES) {
        fetch(`${api}/files`, { method: 'POST', keepalive: true, credentials: 'same-origin', headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRFToken': token }, body })
          .then((response) => { if (response.ok) for (const path of pending.keys()) forget(path); }).catch(() => undefined);
      }
    });
  }

  function place_() {
    const asked = new URLSearchParams(location.search);
    return { path: asked.get('file'), element: asked.get('element') ?? undefined };
  }

  /** What an earlier visit could not send: sent now if nothing came between, else the person decides. */
  async function bringBack() {
    const left = kept();
    if (!left.length || !isDraft) return;
    const own = [];
    for (const { path, text, revision: from } of left) {
      const there = files.some((file) => file.path === path) ? (await ask(`files/${encode(path)}`).catch(() => null))?.text : undefined;
      if (there === text) forget(path);
      else if (from === revision && lock.mine) pending.set(path, text);
      else own.push({ path, text });
    }
    if (pending.size) await save();
    if (!own.length) return;
    tell('half', t('Kept on this device and never saved: {names}. The draft was changed since.', { names: own.map(({ path }) => nameOf(path)).join(english ? ', ' : '、') }), [
      [t('Save what I drew'), async () => { hush(); for (const { path, text } of own) pending.set(path, text); await save(); await show_(open?.path, undefined, true); }],
      [t('Throw it away'), () => { hush(); for (const { path } of own) forget(path); }],
    ]);
  }

  (async () => {
    say('saved');
    state.textContent = '';
    try {
      if (isDraft) lock = await ask('lock', { take: false }).catch((error) => { if (error.status === 409) return error.answer.lock ?? lock; throw error; });
      const answer = await ask('files');
      ({ files, revision } = answer);
      if (answer.lock?.name) lock = { ...lock, ...answer.lock };
      showLock();
      await bringBack();
      const wanted = place_();
      const first = files.find(({ path }) => path === wanted.path) ?? files.find(({ path }) => path === `${key}.bpmn`) ?? files.find(({ kind }) => kind === 'diagram') ?? files[0];
      if (first && first.kind === 'scenario') first.kind = 'manifest';
      showTree();
      await show_(first?.path, wanted.element);
      note(first?.path, wanted.element, false);
      page.dataset.ready = 'true';
      performance.mark('studio-usable');
      check();
    } catch (error) {
      tell('past', error.status ? error.message : t('No connection. What you drew is kept on this device.'), [[t('Try again'), () => location.reload()]]);
    }
  })();

  Object.assign(globalThis, { pingshenStudio: { open: () => open, save, go, findings: () => findings, revision: () => revision, pending: () => pending.size } });
}
